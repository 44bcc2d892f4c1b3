package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/ingest/decode"
	"flyball/schema/kafka"
)

// sampleTopic passes on the newest records of a topic, at most n, without joining a
// consumer group: no committed offset changes.
func sampleTopic(ctx context.Context, c config.Config, topic string, n int, each func(*decode.Record) error) error {
	clients, err := app.ConnectKafka(ctx, c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	from, err := sampleFrom(ctx, clients, topic, n)
	if err != nil {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	var newest []*kgo.Record
	if _, err := kafka.ReadToEnd(ctx, clients, "sample", topic, from, func(r *kgo.Record) error {
		newest = append(newest, r)
		return nil
	}); err != nil {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	slices.SortFunc(newest, func(a, b *kgo.Record) int { return a.Timestamp.Compare(b.Timestamp) })
	for _, r := range newest[max(0, len(newest)-n):] {
		rec := decode.Record{
			Topic:     topic,
			Partition: r.Partition,
			Offset:    r.Offset,
			Timestamp: r.Timestamp.UnixNano(),
			Key:       r.Key,
			Value:     r.Value,
		}
		for _, h := range r.Headers {
			rec.Headers = append(rec.Headers, decode.Header{Key: h.Key, Value: h.Value})
		}
		if err := each(&rec); err != nil {
			return err
		}
	}
	return nil
}

// sampleFrom returns, for each partition that holds records, the offset of the n-th newest.
func sampleFrom(ctx context.Context, clients kafka.Config, topic string, n int) (map[int32]int64, error) {
	admin, err := clients.NewClient("sample-offsets")
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	ends, err := kafka.EndOffsets(ctx, admin, topic)
	if err != nil {
		return nil, err
	}
	starts, err := kafka.StartOffsets(ctx, admin, topic)
	if err != nil {
		return nil, err
	}
	from := map[int32]int64{}
	for part, end := range ends {
		if end > starts[part] {
			from[part] = max(starts[part], end-int64(n))
		}
	}
	if len(from) == 0 {
		return nil, errors.New("no records in it yet")
	}
	return from, nil
}
