// Package query asks ClickHouse what Flyball's people ask: which runs, one run
// in full, what was touched, where a term occurs, how calls were bound.
//
// It answers with typed rows whose JSON is the documented surface; absent means
// unknown. It refuses to format for people and to guess: what it could not know
// stands in a report's caveats.
package query
