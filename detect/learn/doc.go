// Package learn makes baselines: it reads closed clean runs from ClickHouse, counts them,
// calibrates the thresholds on runs that were not counted, publishes the result
// under a version, and activates it by a marker in every partition of flyball.calls.
//
// The history is read in slices, ranges of actors, so that memory does not grow with it (adr/0002).
//
// It does not learn from open runs, from runs closed for less than the quarantine, from runs that alarmed, or from
// runs with missing calls. It does not publish a baseline that was learned from fewer runs than learn.min_runs.
package learn
