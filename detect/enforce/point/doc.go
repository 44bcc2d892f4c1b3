// Package point is one enforcement point's copy of the enforcement state. It folds the
// log of commands (flyball.commands) into the state machines of detect/enforce/ledger,
// stores snapshots, keeps the log's clock going with ticks, announces itself with
// heartbeats, and writes commands of this process to the log and waits for their results.
//
// It answers no request itself: package check answers gateways and package api answers
// operators, both from the state that Point.Acquire shows them. Nothing here decides
// anything that does not follow from the log. Where two points could answer differently
// (a probe, one use of a grant, a share of a quota) the answer is a command in the log,
// and no result within its time limit counts as a denial.
//
// A record that cannot be read is skipped by every point in the same way; a record of a
// newer version ends the fold with an error. From then on the point is not ready and its
// state counts as stale.
package point
