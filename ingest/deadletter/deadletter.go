// Package deadletter writes what could not be read or stored to flyball.dead-letters,
// with the reason, so that a person or a replay can come back to it: the original bytes
// and key, and headers that say where it came from.
//
// It refuses to look into the bytes or to log them: a record that could not be read was
// not redacted either.
package deadletter

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// Record is one item that could not be read or stored.
type Record struct {
	Source schema.Source // the partition that it came in
	Offset int64         // of the record that it came in
	Item   uint32        // its place in that record
	Reason string        // from a closed set
	Detail string        // never holds bytes of the item
	Key    []byte
	Value  []byte
	At     int64 // Unix ns of the record that it came in
	// ReplayOf is the place of the dead letter that this item is a replay of; empty: none.
	ReplayOf string
}

// MaxValue is how much of an item is kept, in bytes.
const MaxValue = 8 << 20

// Write sends a record; done is called once, when the broker has acknowledged it or will
// not. The headers are Flyball's and, for tools that know them, Kafka Connect's.
func Write(ctx context.Context, out kafka.Producer, d Record, done func(error)) {
	value, detail := d.Value, d.Detail
	if len(value) > MaxValue {
		detail += fmt.Sprintf("; %d of %d bytes kept", MaxValue, len(value))
		value = value[:MaxValue]
	}
	r := &kgo.Record{Topic: wire.DeadLettersTopic, Key: d.Key, Value: value, Headers: headers(&d, detail)}
	out.Produce(ctx, r, func(_ *kgo.Record, err error) {
		if err != nil {
			err = fmt.Errorf("write a dead letter (%s) of %s offset %d item %d: %w", d.Reason, d.Source, d.Offset, d.Item, err)
		}
		done(err)
	})
}

func headers(d *Record, detail string) (out []kgo.RecordHeader) {
	part, offset := strconv.Itoa(int(d.Source.Partition)), strconv.FormatInt(d.Offset, 10)
	for _, h := range [...][2]string{
		{wire.HeaderReason, d.Reason}, {wire.HeaderDetail, detail}, {wire.HeaderTopic, d.Source.Topic},
		{wire.HeaderTopicID, hex.EncodeToString(d.Source.TopicID[:])}, {wire.HeaderPartition, part}, {wire.HeaderOffset, offset},
		{wire.HeaderItem, strconv.FormatUint(uint64(d.Item), 10)}, {wire.HeaderAt, strconv.FormatInt(d.At, 10)},
		{"__connect.errors.topic", d.Source.Topic}, {"__connect.errors.partition", part}, {"__connect.errors.offset", offset},
		{"__connect.errors.stage", "VALUE_CONVERTER"}, {"__connect.errors.exception.class.name", d.Reason},
		{"__connect.errors.exception.message", detail},
	} {
		out = append(out, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
	if d.ReplayOf != "" {
		out = append(out, kgo.RecordHeader{Key: wire.HeaderReplayOf, Value: []byte(d.ReplayOf)})
	}
	return out
}
