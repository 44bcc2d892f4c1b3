package schema

import (
	"encoding/hex"
	"fmt"
)

// TopicID is Kafka's id of a topic. A topic that is deleted and created again under the same
// name has another id, so its offsets belong to another source.
type TopicID [16]byte

func (t TopicID) String() string { return hex.EncodeToString(t[:]) }

// Source is one ordered origin of calls: a partition of an input topic, or a writer of
// flyball.calls with its own durable sequence.
type Source struct {
	Topic     string
	TopicID   TopicID
	Partition int32
}

func (s Source) String() string { return fmt.Sprintf("%s/%d", s.Topic, s.Partition) }

// Position is the position of a call in its source: the offset of the Kafka record and the
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
