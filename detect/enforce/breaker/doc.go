// Package breaker is the state machine of breakers: its input is commands in the order of the log,
// its output is breakers and events. Every enforcement point applies the same log and so has the
// same breakers. The package also holds bypasses and the budget of automatic trips.
//
//	closed ──trip──▶ open ──TTL over──▶ half_open ──clean probes──▶ closed
//	                  ▲                     │
//	                  └──── trip, twice as long
//	any ──by a person──▶ forced_open ──reset, or the given TTL──▶ closed
//
// Only a breaker with action deny becomes half open. Breakers with milder actions close when their
// TTL is over, because the caller's requests passed and the detector could judge them.
//
// It does not read a clock (the log's time is an argument), does not recognise repeated commands
// (see detect/enforce/ledger) and does no I/O. Everything that a caller can make grow is bounded,
// and callers with a claimed identity have separate bounds.
package breaker
