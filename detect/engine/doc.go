// Package engine is the detect role: it owns partitions of flyball.calls, skips calls that it has
// already applied, binds calls to runs, passes them to detectors, and writes findings, the journal
// and checkpoints. After a crash, a rebalance or an upgrade it continues where it stopped.
//
// It does not name detectors: each partition gets a detector.Set. It does not connect to
// ClickHouse. Its clock decides when something is written and never affects a run.
//
// The order of durable writes in each partition: the journal is acknowledged, then the partition's
// counters and the entries of actors are written, then the partition's record with the offset from
// which a restart replays.
// Each write may be repeated; the order may not change.
package engine
