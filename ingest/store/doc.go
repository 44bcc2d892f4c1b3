// Package store moves flyball.journal into ClickHouse: it inserts the column blocks of the journal unchanged, in large batches and table
// by table. It also stores the headers of dead letters, and the findings, decisions, breakers, gates, verdicts, baseline orders and audit
// entries of flyball.events.
//
// Rows are stored effectively once, without transactions. A journal record states which offsets of flyball.calls it covers. The highest
// offset up to which everything is stored is written to ClickHouse after the rows, and records at or below it are skipped. Rows that are
// inserted again merge by their identity. Kafka offsets are committed last.
//
// It does not decode rows or the bytes of a dead letter. While ClickHouse is unavailable, it keeps one batch, stops reading and retries
// until it is stopped; no other role waits for it. An insert for which ClickHouse has not the memory or the time is inserted in halves.
// While ClickHouse has too many parts, because calls of many days arrive or merges are late, batches become larger and fewer.
package store
