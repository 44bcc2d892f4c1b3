// Package route classifies a call: its template, its effect, how reversible the effect is and
// which resources the call names, each with its provenance. Ingest and the check use the same
// code and the same table.
//
// A table is immutable and versioned; a new one replaces it as a whole. The
// package does not learn by itself, does not guess a resource that is unknown (it is "type:?",
// and makes a report incomplete), and does not read a clock.
package route
