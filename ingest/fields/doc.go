// Package fields reads the members of a JSON object without making anything of
// them: where each value begins and ends in the record, under its name in the
// one form that tables use. A part of a text line is the same kind of value.
//
// Package fields refuses to copy what it reads, to guess what a value means,
// and to trust the length, depth or spelling of anything.
package fields
