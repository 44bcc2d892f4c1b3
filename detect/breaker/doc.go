// Package breaker is the state machine of breakers: commands in the order of
// their log go in, breakers and events come out. Every enforcement point folds
// the same log and so holds the same state.
//
// It refuses to read a clock (the time of the record is the time), to talk to
// anything, and to let its memory grow with what callers invent.
package breaker
