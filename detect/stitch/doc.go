// Package stitch binds calls to runs: one agent that does one task is one run, independent of which
// observers logged its calls and of the order in which they arrive.
//
// It is a pure state machine over the calls of one partition of flyball.calls: the same calls in
// the same order make the same runs. It reads no clock and does no input or output. Everything that
// a caller can invent is bounded: the runs of an actor, the runs and actors of a partition, the
// sketches and traces of a run. Runs above a limit are counted in an overflow run.
//
// A Partition is used by one goroutine.
package stitch
