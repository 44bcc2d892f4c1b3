package schema

import (
	"encoding/hex"
	"fmt"
)

// TopicID is Kafka's id of a topic. A topic that is deleted and created again under the same
// name has another id, so its offsets belong to another source.
type TopicID [16]byte

func (t TopicID) String() string { return hex.EncodeToString(t[:]) }

// Offsets of positions. After a topic has lost its last records, Kafka gives their offsets to new
// records. The leader epoch of a partition, which Kafka raises at each start of its leader and stores
// in every batch, distinguishes both. Wherever an offset identifies or orders records (Position,
// CallRef, LogPosition, a checkpoint) it therefore includes the epoch:
//
//	epoch * 2^40 + offset in Kafka
//
// In epoch 0 it is the offset in Kafka.

// offsetsPerEpoch is much larger than the number of records that a partition ever holds.
const offsetsPerEpoch = int64(1) << 40

// MaxEpoch is the highest epoch of a position, so that CallRef.Version has room for it. Higher leader
// epochs count as this one.
const MaxEpoch = 1<<15 - 1

// PositionOffset returns the offset in a position of the record at an offset in Kafka. A negative
// epoch (unknown) counts as 0.
func PositionOffset(epoch, offset int64) int64 {
	return min(max(epoch, 0), MaxEpoch)*offsetsPerEpoch + offset
}

// KafkaOffset returns the offset in Kafka of the offset in a position. Negative offsets stay.
func KafkaOffset(position int64) int64 {
	if position < 0 {
		return position
	}
	return position % offsetsPerEpoch
}

// PositionEpoch returns the epoch of the offset in a position.
func PositionEpoch(position int64) int64 { return max(position, 0) / offsetsPerEpoch }

// Source is one ordered origin of calls: a partition of an input topic, or a writer of
// flyball.calls with its own durable sequence.
type Source struct {
	Topic     string
	TopicID   TopicID
	Partition int32
}

func (s Source) String() string { return fmt.Sprintf("%s/%d", s.Topic, s.Partition) }

// Position is the position of a call in its source: the offset of the Kafka record (see
// PositionOffset) and the
// index of the call in that record. Positions of one source are emitted in ascending order, so
// that a reader can drop exactly the repeats: every call at or below the highest position it
// has seen.
type Position struct {
	Offset int64
	Item   uint32
}

// After reports whether p comes after q in their source.
func (p Position) After(q Position) bool {
	return p.Offset > q.Offset || p.Offset == q.Offset && p.Item > q.Item
}
