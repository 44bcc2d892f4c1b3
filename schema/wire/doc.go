// Package wire is what Flyball's own Kafka topics are and what their values
// look like: the topic table, the keys, and the versioned codecs of call
// blocks, marks and journal records.
//
// It refuses to consume or to decide: readers and writers live with the parts
// that own them. Every value starts with a kind byte and a format version; a
// newer version than this binary knows is ErrNewerVersion, never a guess.
package wire
