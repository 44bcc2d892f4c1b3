// Package detector contains the detectors. Each finds one kind of behaviour in the calls of runs,
// has its own state for a run or an actor, and reports findings.
//
// A Set passes every call of one partition of flyball.calls to its detectors in a fixed order,
// after the run's score was updated with the call. A new detector is one file and its place in
// the two lists of registry.go; the users of a Set do not name detectors.
//
// The package reads no clock and does no input or output, except that the age of a call is measured
// by Options.Now: the same calls in the same order, with the same baselines, lead to the same
// findings. It does not decide about enforcement: it calls package policy for each finding.
//
// A Set is used by one goroutine.
package detector
