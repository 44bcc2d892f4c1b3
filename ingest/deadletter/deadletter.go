// Package deadletter puts what could not be read aside, with the reason, so
// that a person or a replay can come back to it: the original bytes and key,
// and headers that say where it came from.
//
// It refuses to look into the bytes or to log them: a record that could not be
// read was not redacted either.
package deadletter

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

// Letter is one bad item.
type Letter struct {
	Source schema.Source
	Offset int64
	Item   uint32
	Reason string // from a closed set
	Detail string // never holds bytes of the item
	Key    []byte
	Value  []byte
	At     int64 // Unix ns of the record the item came in
	// ReplayOf is the place of the letter that this one was, before it was sent again.
	ReplayOf string
}

// Producer is what is needed of a Kafka client.
type Producer interface {
	Produce(ctx context.Context, r *kgo.Record, done func(*kgo.Record, error))
}

// MaxValue is how much of an item is kept, in bytes.
const MaxValue = 8 << 20

// Send writes a letter; done is called once. The headers are Flyball's and, for
// tools that know them, Kafka Connect's.
func Send(ctx context.Context, out Producer, l Letter, done func(error)) {
	value := l.Value
	detail := l.Detail
	if len(value) > MaxValue {
		detail += fmt.Sprintf("; %d of %d bytes kept", MaxValue, len(value))
		value = value[:MaxValue]
	}
	part, offset, item := strconv.Itoa(int(l.Source.Partition)), strconv.FormatInt(l.Offset, 10), strconv.FormatUint(uint64(l.Item), 10)
	r := &kgo.Record{Topic: wire.DeadLettersTopic, Key: l.Key, Value: value}
	for _, h := range [...][2]string{
		{wire.HeaderReason, l.Reason}, {wire.HeaderDetail, detail}, {wire.HeaderTopic, l.Source.Topic},
		{wire.HeaderTopicID, hex.EncodeToString(l.Source.TopicID[:])}, {wire.HeaderPartition, part}, {wire.HeaderOffset, offset}, {wire.HeaderItem, item},
		{wire.HeaderAt, strconv.FormatInt(l.At, 10)},
		{"__connect.errors.topic", l.Source.Topic}, {"__connect.errors.partition", part}, {"__connect.errors.offset", offset},
		{"__connect.errors.stage", "VALUE_CONVERTER"}, {"__connect.errors.exception.class.name", l.Reason}, {"__connect.errors.exception.message", detail},
	} {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
	if l.ReplayOf != "" {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: wire.HeaderReplayOf, Value: []byte(l.ReplayOf)})
	}
	out.Produce(ctx, r, func(_ *kgo.Record, err error) {
		if err != nil {
			err = fmt.Errorf("write a dead letter (%s) of %s offset %d item %d: %w", l.Reason, l.Source, l.Offset, l.Item, err)
		}
		done(err)
	})
}
