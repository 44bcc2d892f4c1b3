// Package ledger applies the log of commands (flyball.commands) to the state machines of
// enforcement, in the order of the log and on its clock, and keeps the audit trail. The same log
// gives the same state at every enforcement point, and so does a snapshot with the rest of the log.
//
// It also decides requests from that state alone, and returns every objection that it found. See
// package enforce for the order in which commands and requests pass the machines.
//
// It does not read a clock, does no I/O and does not apply a command twice. Every command of a
// person or of the detector has an entry in a chain of hashes.
package ledger
