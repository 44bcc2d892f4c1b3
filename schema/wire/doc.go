// Package wire defines Flyball's own Kafka topics and the format of their values: the
// table of topics, the keys, and the versioned codecs of call blocks, marks and journal
// records.
//
// It does not consume topics and makes no decisions: readers and writers are in the
// parts that own them. Every value starts with a kind byte and a format version; a
// version that is newer than this binary supports is ErrNewerVersion.
package wire
