// Package learn makes baselines: it reads closed clean runs from ClickHouse, counts them,
// calibrates the thresholds on runs that the counts had not seen, publishes the result
// under a version, and activates it by a marker in every partition of flyball.calls.
//
// It does not learn from open runs, from runs closed for less than the quarantine, from
// runs that alarmed or of which calls are missing. It publishes nothing that rests on
// fewer runs than learn.min_runs.
package learn
