// Package query reads Flyball's data from ClickHouse: lists of runs, one run in full, touched
// sets, the runs that contain a term, the rules that bound calls to runs.
//
// It returns typed rows, whose JSON form is the documented output of the commands; an absent
// member means unknown. It does not format output for people and does not guess: a report
// lists unknown values as caveats.
package query
