// Package deadletter writes items that could not be read or stored to flyball.dead-letters, with the reason, for a person or a replay. A
// dead letter contains the original bytes and key, and headers with the position of the item.
//
// It does not decode or log the bytes: an item that could not be read was not redacted.
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
	Source schema.Source // the partition from which the item was read
	Offset int64         // of the record that contained the item
	Item   uint32        // index of the item in that record
	Reason string        // one of a closed set
	Detail string        // never contains bytes of the item
	Key    []byte
	Value  []byte
	At     int64 // timestamp of that record, Unix ns
	// ReplayOf is the position of the dead letter that this item is a replay of. It is empty if the item is not a replay.
	ReplayOf string
}

// MaxValue is the maximum size of Value in bytes; a longer value is cut.
const MaxValue = 8 << 20

// Write sends a record. done is called once, when the broker has acknowledged it or the write has failed permanently. The headers are
// those of Flyball and, for tools that read them, those of Kafka Connect.
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
