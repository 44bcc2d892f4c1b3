// Package route says what kind of call a call is: its template, its effect, how
// reversible that is and which resources it names, each with its provenance.
// The log side and the gate side use the same code and the same table.
//
// A table is immutable and versioned; a new one becomes active at a mark in the
// log. The package refuses to learn by itself, to guess a resource it cannot
// know (that is "type:?", and makes a report incomplete), and to read a clock.
package route
