// Package store moves flyball.journal into ClickHouse: it inserts the column blocks of
// the journal as they are, in large batches and table by table. It also stores what is
// known about dead letters, and the findings, decisions, breakers and audit entries of
// flyball.events.
//
// Nothing is stored twice and nothing is lost, without transactions: a journal record
// says which offsets of flyball.calls it covers, the highest one that is wholly stored is
// kept in ClickHouse itself, after the rows, and records at or below it are skipped. What
// is inserted again in between merges by the identity of its rows. Offsets are committed
// last.
//
// It refuses to decode rows, to decide anything about them, or to look into the bytes of
// a dead letter. While ClickHouse is unavailable it keeps one batch, stops reading and
// tries again until it is stopped; no other role waits for it.
package store
