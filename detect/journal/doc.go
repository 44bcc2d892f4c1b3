// Package journal makes the records of flyball.journal: rows for the tables of the store, from stitched calls, their runs and
// their scores. It does no input and output.
//
// A record covers a range of offsets of flyball.calls. A repeat after a crash may have other records, but the same rows, up
// to those that the tables merge.
package journal
