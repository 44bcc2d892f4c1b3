package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/clickhouse"
	"flyball/schema/wire"
)

// maxDetail is how much of a dead letter's detail is stored, in bytes.
const maxDetail = 1024

// deadLetters stores what the headers of flyball.dead-letters say. The bytes of
// an item stay in Kafka: they were never redacted.
func (s *Store) deadLetters(ctx context.Context) error {
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, s.kafka...),
		kgo.ConsumerGroup(wire.StoreDeadGroup), kgo.ConsumeTopics(wire.DeadLettersTopic), kgo.DisableAutoCommit(),
		kgo.FetchMaxBytes(16<<20), kgo.FetchMaxWait(time.Second))...)
	if err != nil {
		return fmt.Errorf("store: Kafka client for dead letters: %w", err)
	}
	defer client.Close()
	work, stop := drain(ctx, s.o.Drain)
	defer stop()
	block := clickhouse.DeadLettersTable.NewBlock()
	for ctx.Err() == nil {
		fetches := client.PollRecords(ctx, 10_000)
		if fetches.IsClientClosed() {
			return errors.New("store: the Kafka client for dead letters was closed under it")
		}
		fetches.EachRecord(func(r *kgo.Record) {
			d := deadLetter(r)
			block.Append(&d)
		})
		if block.Rows() == 0 {
			continue
		}
		native, rows := block.AppendNative(nil), block.Rows()
		block.Reset()
		err := s.insist(work, "insert into dead_letters_store", func(ctx context.Context) error {
			return s.db.InsertNative(ctx, "dead_letters_store", native)
		})
		if err != nil {
			return ended(ctx, err)
		}
		s.m.rows.WithLabelValues("dead_letters_store").Add(float64(rows))
		if err := client.CommitRecords(work, fetches.Records()...); forbidden(err) {
			return fmt.Errorf("store: commit %s: %w", wire.DeadLettersTopic, err)
		} else if err != nil {
			s.log.Warn("commit of dead letters failed; their rows merge when they come again", "error", err)
		}
	}
	return nil
}

func deadLetter(r *kgo.Record) clickhouse.DeadLetter {
	d := clickhouse.DeadLetter{At: r.Timestamp.UnixNano(), Partition: r.Partition, Offset: r.Offset, Size: uint64(len(r.Value))}
	for _, h := range r.Headers {
		v := string(h.Value)
		switch h.Key {
		case wire.HeaderReason:
			d.Reason = clean(v, 64)
		case wire.HeaderDetail:
			d.Detail = clean(v, maxDetail)
		case wire.HeaderTopic:
			d.SourceTopic = clean(v, 256)
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

// clean bounds a header's text: any producer of the topic may write one.
func clean(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "�")
}
