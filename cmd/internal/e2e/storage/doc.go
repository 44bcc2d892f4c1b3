// Package storage holds the tests that need a real ClickHouse: the schema, its migrations, the
// block writers and the store. They run on the embedded engine or, with
// FLYBALL_TEST_CLICKHOUSE=host:port, on a server.
//
// It does not contain code of the product.
package storage
