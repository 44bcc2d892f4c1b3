// Package store moves flyball.journal into ClickHouse: it inserts the column
// blocks of the journal as they are, in large batches and table by table, and
// puts what is known of dead letters beside them.
//
// Nothing is stored twice and nothing is lost, without transactions: a journal
// record says which offsets of flyball.calls it covers, the highest one that is
// wholly stored is kept in ClickHouse itself, after the rows, and records at or
// below it are skipped. What is inserted again between the two merges by the
// identity of its rows. Offsets are committed last.
//
// It refuses to decode rows, to decide anything about them, or to look into the
// bytes of a dead letter. While ClickHouse is away it keeps one batch, stops
// reading and tries again for ever; nobody else waits for it.
package store
