// Package source reads the operator's topics: every record is decoded, its calls are
// published, items that cannot be read are written to the dead letters, and only then is
// its offset committed.
//
// It keeps no state but the offsets of its consumer group. It refuses to drop a record
// silently, to let one bad record stop or delay a partition, and to go on after a write
// that failed for good: the order of a source is what makes delivery exact.
package source
