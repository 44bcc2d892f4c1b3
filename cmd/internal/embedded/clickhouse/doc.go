// Package clickhouse runs ClickHouse on one machine without a server installation: libchdb, loaded with purego in a child process, behind
// ClickHouse's HTTP interface. clickhouse-go, Grafana and curl connect to it as to a server.
//
// Fetch downloads the pinned library, Locate finds it. Serve runs in the child. Supervisor starts the child, restarts it with back-off,
// keeps its address over restarts and stops it. The child also ends when its parent dies.
//
// It is not a cluster. It has at most one user. It does not listen on other addresses than loopback without a password, does not keep
// HTTP sessions (session_id), and does not run two engines on one data directory. The library is loaded only in the child: after a crash
// the engine is restarted, and the supervising process continues.
package clickhouse
