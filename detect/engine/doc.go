// Package engine is the detect role: it owns partitions of flyball.calls, leaves out calls
// that it has seen before, binds calls to runs, hands them to detectors, and writes findings,
// the journal and checkpoints. After a crash, a rebalance or an upgrade it goes on where it was.
//
// It names no detector: a detector.Set is handed to each partition. It does not talk to
// ClickHouse, and its clock paces writing and never reaches a run.
//
// Order of durability, for each partition: the journal is acknowledged, then the entries of
// actors are written, then the partition's record with the offset from which a restart
// replays. Each may be repeated; none may be overtaken.
package engine
