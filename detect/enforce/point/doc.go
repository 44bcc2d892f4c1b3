// Package point is one enforcement point's copy of the enforcement state. It folds the log of
// commands (flyball.commands) into the state machines of detect/enforce/ledger, stores snapshots,
// advances the log's clock with ticks, announces itself with heartbeats, and writes commands of
// this process to the log and waits for their results.
//
// It does not answer requests: package check answers gateways and package api answers operators,
// both from the state that Point.Acquire returns. All decisions follow from the log. If two points
// could answer differently (a probe, one use of a grant, a share of a quota), the answer is a
// command in the log, and without a result within its time limit the answer is a denial.
//
// Every point skips a record that cannot be read in the same way; a record of a newer version ends
// the fold with an error. From then on the point is not ready and its state counts as stale.
package point
