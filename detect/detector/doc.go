// Package detector holds the detectors: each looks for one kind of behaviour in the calls
// of runs, keeps state of its own for a run or an actor, and reports findings.
//
// A Set hands every call of one partition of flyball.calls to its detectors in a fixed
// order, after the run's score has taken the call in. A new detector is a file of its own
// and a line in registry.go; whoever runs a Set knows no detector by name.
//
// The package reads no clock of its own and does no input or output: the same calls in the
// same order, with the same baselines, lead to the same findings. It decides nothing about
// enforcement itself: that is package policy, which it calls for each finding.
//
// A Set is used by one goroutine.
package detector
