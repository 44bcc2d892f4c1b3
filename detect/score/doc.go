// Package score measures how far a run is from its baseline. It computes statistics that only grow
// within a run, converts each to one common scale, and takes the maximum per family of findings and the
// maximum of all families as the score of the run. ActorScore scores the latest calls of an actor across its
// runs.
//
// It does not use a clock or any state other than the calls and a published
// baseline: the same calls and the same baseline give the same score.
package score
