// Package clickhouse is how Flyball's records lie in ClickHouse: the columns
// of every table, the writers that turn records into blocks of the Native
// format, the DDL and its migrations, and a connection.
//
// One list of columns a table is both the DDL's columns and the writer, so the
// two cannot drift. Tables end in _store; analysts read the deduplicated views
// beside them (calls, runs, touches …).
//
// It refuses to hold policy, to decide when to write, or to batch: the journal
// is written by detect and inserted by ingest/store. It writes no query that
// only one command needs.
package clickhouse
