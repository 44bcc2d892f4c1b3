// Package query reads Flyball's data from ClickHouse: lists of runs, one run in full,
// touched sets, the runs in which a term occurs, how calls were bound to runs.
//
// It returns typed rows, whose JSON form is the documented output of the commands; an
// absent member means unknown. It formats nothing for people and does not guess: what is
// not known is in a report's caveats.
package query
