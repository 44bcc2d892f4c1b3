// Package report prints answers for people and programs: tables, JSON, CSV and
// one self-contained HTML page. It refuses to ask anything itself or to leave
// out what a report could not know.
package report
