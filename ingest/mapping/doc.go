// Package mapping says in data how a gateway's record becomes a call: which
// member goes into which field, through a fixed list of functions. A mapping is
// a YAML file; those for gateways that Flyball knows come with it (Presets),
// and an operator writes one for a gateway that nobody has heard of.
//
// A mapping is compiled once. Reading a record is then one walk over its
// members and one pass over the mapping's lines, whatever it says.
//
// Package mapping refuses scripts, loops and anything that could fail to end;
// a mapping with a line it does not understand, whole; and to decide what a
// text means: that a status is a number, or a time a time, its caller knows.
package mapping
