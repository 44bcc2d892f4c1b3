// Package source reads the operator's topics. For each record it decodes the calls, publishes them, writes items that cannot be read to
// the dead letters, and commits the offset of the record after these writes are acknowledged.
//
// Its only stored state is the offsets of its consumer group. It does not drop a record silently, and one bad record does not stop or
// delay its partition. While the reader of flyball.calls in the same process is far behind, it does not read further (see
// ingest/adr/0004). It does not continue after a write that failed permanently: exact delivery depends on the order of each source.
package source
