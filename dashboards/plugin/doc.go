// Package plugin is the back end of Flyball's Grafana data source. It returns frames: tables, series with labels, traces, graphs, logs.
//
// Questions are asked through schema/clickhouse/query, so that Grafana, the commands and the control API agree. The only statements of
// its own are those that a person enters in the query type sql: they can only read Flyball's views. Every answer has a maximum number of
// rows, and says so when it leaves out some.
package plugin
