package schema

import (
	"encoding/hex"
	"fmt"
)

// TopicID is Kafka's id of a topic: a topic that is deleted and made again
// under its old name has another one, so its offsets start a source of its own.
type TopicID [16]byte

func (t TopicID) String() string { return hex.EncodeToString(t[:]) }

// Source is one ordered origin of calls: a partition of an input topic, or a
// writer of flyball.calls that keeps a durable sequence of its own.
type Source struct {
	Topic     string
	TopicID   TopicID
	Partition int32
}

func (s Source) String() string { return fmt.Sprintf("%s/%d", s.Topic, s.Partition) }

// Position of a call within its source: the offset of the Kafka record and the
// index of the call among those the record held. Positions of one source are
// emitted in ascending order, which is what makes "drop anything at or below
// the highest one seen" exact.
type Position struct {
	Offset int64
	Item   uint32
}

// After reports whether p comes after q in their source.
func (p Position) After(q Position) bool {
	return p.Offset > q.Offset || p.Offset == q.Offset && p.Item > q.Item
}
