// Package clickhouse runs ClickHouse on one machine without a server to install:
// libchdb, loaded through purego in a child process, behind ClickHouse's own
// HTTP interface, so that clickhouse-go, Grafana and curl all talk to it as
// they would to a server.
//
// Fetch obtains the pinned library, Locate finds it. Serve is what the child
// runs. Supervisor starts the child, restarts it with back-off, keeps its
// address over restarts and ends it; the child ends by itself when its parent
// dies, however it dies.
//
// It refuses to be a cluster, to authenticate users, to listen anywhere by
// default but where it is told, to keep HTTP sessions (session_id), and to run
// two engines on one data directory. The library is loaded in the child only:
// a crash of the engine is a restart, never an outage of the process that
// supervises it.
package clickhouse
