// Package breaker is the state machine of breakers: intents in the order of
// their log go in, breakers and events come out. Every enforcement point folds
// the same log and so holds the same state.
//
//	closed ──trip──▶ open ──its time──▶ half_open ──clean probes──▶ closed
//	                  ▲                     │
//	                  └──── trip, twice as long
//	any ──by hand──▶ forced_open ──reset, or the time that was given──▶ closed
//
// Only a breaker that denies becomes half open: milder ones close when their
// time is over, since the detector has seen the caller all along.
//
// It refuses to read a clock (the log's is given to it), to know of repeats of
// a command (see detect/enforce/ledger), to talk to anything, and to let its memory grow
// with what callers invent.
package breaker
