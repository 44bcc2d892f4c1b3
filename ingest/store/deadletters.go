package store

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/clickhouse"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// maxDetail is the maximum size in bytes of the stored detail of a dead letter.
const maxDetail = 1024

// deadLettersClient is the name of the client that reads dead letters.
const deadLettersClient = "store-dead-letters"

// storeDeadLetters stores the headers of flyball.dead-letters until ctx ends. The bytes of an item stay in Kafka, because they were not
// redacted.
func (s *Store) storeDeadLetters(ctx context.Context) error {
	client, closeAll, err := s.newReader(deadLettersClient, kgo.ConsumerGroup(wire.StoreDeadGroup), kgo.SessionTimeout(kafka.SessionTimeout),
		kgo.ConsumeTopics(wire.DeadLettersTopic),
		kgo.FetchMaxBytes(16<<20), kgo.FetchMaxWait(time.Second))
	if err != nil {
		return err
	}
	defer closeAll()
	rows := clickhouse.DeadLettersTable.NewBlock()
	consumer := s.addConsumer(&kafka.Consumer{Config: s.kafka, Client: client, Name: deadLettersClient, MaxRecords: 10_000, Drain: s.o.Drain})
	consumer.Handle = func(work context.Context, b kafka.Batch) error {
		b.EachRecord(func(r *kgo.Record) {
			d := readDeadLetter(r)
			rows.Append(&d)
		})
		if err := s.write.insertRows(work, deadLettersClient, rows); err != nil {
			return err
		}
		return s.commits.records(work, deadLettersClient, client, b.Records())
	}
	return ignoreEnd(ctx, consumer.Run(ctx))
}

// readDeadLetter reads the headers that Flyball writes. A missing or malformed header leaves its field zero.
func readDeadLetter(r *kgo.Record) clickhouse.DeadLetter {
	d := clickhouse.DeadLetter{At: r.Timestamp.UnixNano(), Partition: r.Partition, Offset: r.Offset, Size: uint64(len(r.Value))}
	for _, h := range r.Headers {
		v := string(h.Value)
		switch h.Key {
		case wire.HeaderReason:
			d.Reason = boundText(v, 64)
		case wire.HeaderDetail:
			d.Detail = boundText(v, maxDetail)
		case wire.HeaderTopic:
			d.SourceTopic = boundText(v, 256)
		case wire.HeaderPartition:
			n, _ := strconv.ParseInt(v, 10, 32)
			d.SourcePartition = int32(n)
		case wire.HeaderOffset:
			d.SourceOffset, _ = strconv.ParseInt(v, 10, 64)
		case wire.HeaderItem:
			n, _ := strconv.ParseUint(v, 10, 32)
			d.Item = uint32(n)
		case wire.HeaderAt:
			if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > 0 {
				d.SourceAt = n
			}
		}
	}
	return d
}

// boundText cuts a header's text to n bytes of valid UTF-8. Any producer of the topic can write headers of any length.
func boundText(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "�")
}
