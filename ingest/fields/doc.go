// Package fields reads the members of a JSON object: the position of each value in the record, under a canonical name. A part of a text
// line is represented as the same kind of value.
//
// It does not copy values and does not interpret them. It bounds the depth and the number of members, and it does not rely on the input
// being well-formed.
package fields
