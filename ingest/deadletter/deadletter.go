// Package deadletter writes items that could not be read or stored to flyball.dead-letters, with the reason, for a person or a replay. A
// dead letter contains the bytes and key, without the secrets that are recognised in them, and headers with the position of the item. If
// something was left out, the original is in a header, sealed with the deployment's key.
//
// It does not log the bytes: an item that could not be read may contain secrets that nobody recognises.
package deadletter

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/ingest/redact"
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

// maxShown is the maximum size in bytes of a key or value that is redacted. Of a longer one the beginning is shown, for people, and the
// whole is in the seal: to look for secrets in a record costs about 2 ms a KiB at worst.
const maxShown = 16 << 10

// Write sends a record. done is called once, when the broker has acknowledged it or the write has failed permanently. The headers are
// those of Flyball and, for tools that read them, those of Kafka Connect. seal is nil for items that contain no secrets.
func Write(ctx context.Context, out kafka.Producer, seal *Seal, d Record, done func(error)) {
	value, detail := d.Value, d.Detail
	if len(value) > MaxValue {
		detail += fmt.Sprintf("; %d of %d bytes kept", MaxValue, len(value))
		value = value[:MaxValue]
	}
	r := &kgo.Record{Topic: wire.DeadLettersTopic, Key: d.Key, Value: value, Headers: headers(&d, detail)}
	if seal != nil {
		seal.redact(r, d.place())
	}
	out.Produce(ctx, r, func(_ *kgo.Record, err error) {
		if err != nil {
			err = fmt.Errorf("write a dead letter (%s) of %s offset %d item %d: %w", d.Reason, d.Source, d.Offset, d.Item, err)
		}
		done(err)
	})
}

// place is the position of the item, as the headers have it.
func (d *Record) place() string {
	return fmt.Sprintf("%s/%d/%d/%d", d.Source.Topic, d.Source.Partition, d.Offset, d.Item)
}

// redact replaces key and value by what may be shown, and adds the sealed original if that is less.
func (s *Seal) redact(r *kgo.Record, place string) {
	key, value := shown(r.Key), shown(r.Value)
	if bytes.Equal(key, r.Key) && bytes.Equal(value, r.Value) {
		return
	}
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: wire.HeaderSealed, Value: s.close(place, r.Key, r.Value)})
	r.Key, r.Value = key, value
}

// shown returns the beginning of a key or value without secrets.
func shown(b []byte) []byte {
	if len(b) <= maxShown {
		return redact.Record(b)
	}
	end := maxShown
	for end > maxShown-utf8.UTFMax && !utf8.RuneStart(b[end]) {
		end--
	}
	return redact.Record(b[:end])
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
