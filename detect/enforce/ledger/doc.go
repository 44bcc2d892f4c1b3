// Package ledger is the one state machine that every enforcement point folds
// over flyball.commands: breakers, gates, tasks, manifests, quotas and the audit
// trail, in the order of the log and on its clock. The same log makes the same
// state at every point, and a snapshot with the rest of the log makes it too.
//
// It decides requests from that state alone and says why, naming everything that
// it weighed.
//
// It refuses to read a clock, to do I/O, to apply a command twice, and to forget
// what it did: every intent leaves an entry in a chain of hashes.
package ledger
