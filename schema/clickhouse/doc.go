// Package clickhouse defines how Flyball's records are stored in ClickHouse: the columns
// of every table, the writers that turn records into blocks of the Native
// format, the DDL and its migrations, and a connection.
//
// One list of columns a table is both the DDL's columns and the writer, so the
// two cannot differ. Names of tables end in _store; analysts read the deduplicated views
// of them (calls, runs, touches …).
//
// It holds no policy, does not decide when to write, and does not batch: the journal
// is written by detect and inserted by ingest/store. Queries of commands are in
// schema/clickhouse/query.
package clickhouse
