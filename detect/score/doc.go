// Package score measures how far a run is from its baseline: statistics that only grow
// within a run, each put on one common scale, the maximum per family of findings, and the
// maximum of all families as the score of the run. ActorScore does the same across the
// runs of an actor.
//
// It uses the calls of the run and a published baseline alone, no clock and no other
// state: the same calls and the same baseline give the same score.
package score
