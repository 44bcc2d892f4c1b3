// Package report prints the results of commands for people and programs: as tables,
// JSON, CSV and one self-contained HTML page. It runs no queries, and always prints the
// caveats of a report.
package report
