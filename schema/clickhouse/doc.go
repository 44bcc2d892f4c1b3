// Package clickhouse defines how Flyball's records are stored in ClickHouse: the columns of
// every table, the writers that encode records as blocks of the Native format, the DDL and its
// migrations, and a connection.
//
// One list of columns for each table defines both the DDL and the writer, so that the two
// cannot differ. Names of tables end in _store or a version (_v5); analysts read the deduplicated views of them
// (calls, runs, touches …).
//
// It contains no policy, does not decide when to write, and does not batch: detect writes the
// journal and ingest/store inserts it. Queries of commands are in schema/clickhouse/query.
package clickhouse
