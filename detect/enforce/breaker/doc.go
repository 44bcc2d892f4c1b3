// Package breaker is the state machine of breakers: commands go in, in the order of the
// log, and breakers and events come out. Every enforcement point applies the same log and
// so has the same breakers. It also holds bypasses and the budget of automatic trips.
//
//	closed ──trip──▶ open ──TTL over──▶ half_open ──clean probes──▶ closed
//	                  ▲                     │
//	                  └──── trip, twice as long
//	any ──by a person──▶ forced_open ──reset, or the given TTL──▶ closed
//
// Only a breaker whose action is deny becomes half open. Milder ones close when their TTL
// is over, because the caller's requests passed and the detector could judge them.
//
// It refuses to read a clock (the log's time is an argument), to recognise a command that
// is repeated (see detect/enforce/ledger) and to do I/O. Everything that a caller can make
// grow is bounded, and what callers of a claimed identity cause has bounds of its own.
package breaker
