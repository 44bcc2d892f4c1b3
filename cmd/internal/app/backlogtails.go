package app

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/clickhouse/query"
	"flyball/schema/kafka"
)

// tails counts the records at the ends of partitions that matter.
type tails struct {
	clients kafka.Config
	matters func(*kgo.Record) bool
	offsets map[partitionOf][]int64 // of the records that matter, of a partition that was looked at
}

func newTails(clients kafka.Config, matters func(*kgo.Record) bool) *tails {
	return &tails{clients: clients, matters: matters, offsets: map[partitionOf][]int64{}}
}

// unread returns the partitions with records from next to the end of its span that matter. The
// records of long tails are not looked at.
func (t *tails) unread(ctx context.Context, part string, spans map[partitionOf]span, next map[partitionOf]int64) ([]query.Unread, error) {
	if err := t.look(ctx, spans, next); err != nil {
		return nil, err
	}
	var out []query.Unread
	for k, s := range spans {
		n := s.end - next[k]
		if offsets, looked := t.offsets[k]; looked {
			n = 0
			for _, o := range offsets {
				if o >= next[k] {
					n++
				}
			}
		}
		if n > 0 {
			out = append(out, query.Unread{Part: part, Topic: k.topic, Partition: k.part, Records: n})
		}
	}
	slices.SortFunc(out, func(a, b query.Unread) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return out, nil
}

// look reads the tails that are short and were not read yet.
func (t *tails) look(ctx context.Context, spans map[partitionOf]span, next map[partitionOf]int64) error {
	from := map[string]map[int32]int64{}
	for k, s := range spans {
		if _, looked := t.offsets[k]; looked || next[k] >= s.end || s.end-next[k] > maxTail {
			continue
		}
		if from[k.topic] == nil {
			from[k.topic] = map[int32]int64{}
		}
		from[k.topic][k.part] = next[k]
	}
	for topic, parts := range from {
		found := map[partitionOf][]int64{}
		for part := range parts {
			found[partitionOf{topic, part}] = nil
		}
		ctx, cancel := context.WithTimeout(ctx, offsetsTimeout)
		_, err := kafka.ReadToEnd(ctx, t.clients, "report-tail", topic, parts, func(rec *kgo.Record) error {
			if k := (partitionOf{topic, rec.Partition}); rec.Offset < spans[k].end && t.matters(rec) {
				found[k] = append(found[k], rec.Offset)
			}
			return nil
		})
		cancel()
		if err != nil {
			return fmt.Errorf("look at the unread records of %s: %w", topic, err)
		}
		maps.Copy(t.offsets, found)
	}
	return nil
}
