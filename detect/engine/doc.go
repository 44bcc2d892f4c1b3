// Package engine owns partitions of flyball.calls: it drops what was seen
// before, binds calls to runs, writes the journal and the checkpoints, and
// goes on exactly where it stood after a crash, a rebalance or an upgrade.
//
// It refuses to talk to ClickHouse (the journal waits for whoever stores it)
// and to let a wall clock near a run: its clock paces writing, nothing else.
//
// Order of durability, per partition: journal acknowledged, then the actors'
// entries, then the partition's record with the offset from which a restart
// replays. Each may be repeated; none may be overtaken.
package engine
