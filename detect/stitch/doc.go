// Package stitch binds calls to runs: one agent doing one task becomes one run,
// whoever logged its calls and in whatever order they arrive.
//
// It is a pure state machine over the calls of one partition of flyball.calls:
// same calls in the same order, same runs. It refuses to read a clock, to do
// input or output, and to let anything that a caller can invent grow without a
// bound: runs an actor, runs and actors a partition, sketches and traces a run
// all have caps, and what is beyond them is counted in an overflow run.
//
// A Partition is used by one goroutine.
package stitch
