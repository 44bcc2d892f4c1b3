// Package mapping defines as data how a gateway's record becomes a call: which member sets which field, through a fixed set of functions.
// A mapping is a YAML file. Mappings for known gateways are part of Flyball (Presets); an operator can write one for any other gateway.
//
// A mapping is compiled once. Reading a record then needs one walk over its members and one pass over the lines of the mapping.
//
// It does not support scripts, loops or anything else that may not end. It does not accept a mapping with an invalid line, not even in
// part. It does not interpret values: the caller parses statuses and times.
package mapping
