package app

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/kafka"
)

// maxMarkers is the largest lag of which it is looked up whether it consists of markers of
// transactions alone: a producer writes one marker for each transaction and partition.
const maxMarkers = 8

// short returns the partitions whose lag is short enough to be markers alone.
func (l *lagReader) short() []kafka.PartitionLag {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.parts), func(p kafka.PartitionLag) bool { return p.Records < 1 || p.Records > maxMarkers })
}

// findMarkers looks into partitions that have the same short lag as at the reading before, and notes
// those whose unread rest holds no record.
func (l *lagReader) findMarkers(ctx context.Context, before []kafka.PartitionLag) {
	for _, p := range l.short() {
		same := slices.ContainsFunc(before, func(b kafka.PartitionLag) bool {
			return keyOf(&b) == keyOf(&p) && b.Next == p.Next && b.End == p.End
		})
		if !same || p.Never {
			continue
		}
		one, cancel := context.WithTimeout(ctx, lagTimeout)
		records := 0
		ends, err := kafka.ReadToEnd(one, kafka.Config{Options: l.kafka.Options}, "lag", p.Topic, map[int32]int64{p.Partition: p.Next},
			func(*kgo.Record) error { records++; return nil })
		cancel()
		if err != nil || records > 0 {
			continue
		}
		l.mu.Lock()
		l.markers[keyOf(&p)] = ends[p.Partition]
		l.mu.Unlock()
	}
}
