package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/ingest/decode"
)

// sampleTopic passes on the newest records of a topic, at most n, without joining a
// consumer group: no committed offset changes.
func sampleTopic(ctx context.Context, c config.Config, topic string, n int, each func(*decode.Record) error) error {
	clients, err := app.KafkaConfig(c)
	if err != nil {
		return err
	}
	admin, err := clients.NewClient("sample-offsets")
	if err != nil {
		return err
	}
	defer admin.Close()
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	adm := kadm.NewClient(admin)
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	if err := ends.Error(); err != nil {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	from, until := map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		start, _ := starts.Lookup(topic, o.Partition)
		if o.Offset > start.Offset {
			from[o.Partition] = kgo.NewOffset().At(max(start.Offset, o.Offset-int64(n)))
			until[o.Partition] = o.Offset
		}
	})
	if len(until) == 0 {
		return fmt.Errorf("topic %s: no records in it yet", topic)
	}
	client, err := clients.NewClient("sample", kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	if err != nil {
		return err
	}
	defer client.Close()
	var newest []*kgo.Record
	for len(until) > 0 && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			newest = append(newest, r)
			if r.Offset+1 >= until[r.Partition] {
				delete(until, r.Partition)
			}
		})
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
