package store

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/wire"
)

// onAssigned notes partitions that the group has assigned to this member.
func (s *Store) onAssigned(_ context.Context, _ *kgo.Client, m map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range m[wire.JournalTopic] {
		s.owned[p] = true
		s.reread = true
	}
}

// onRevoked notes partitions that the group has taken away. It does not wait for
// ClickHouse: the group would wait with it. The loop drops what it holds of the
// partition; a batch that is being inserted may go on, since the next owner skips what
// it finds and its rows merge with the rest.
func (s *Store) onRevoked(_ context.Context, _ *kgo.Client, m map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range m[wire.JournalTopic] {
		delete(s.owned, p)
		s.lost = append(s.lost, p)
	}
}

// applyRebalance brings the loop's state in line with what the group decided. It runs
// before a record of the new assignment is handled.
func (s *Store) applyRebalance(ctx context.Context, client *kgo.Client) error {
	s.mu.Lock()
	lost, reread := s.lost, s.reread
	s.lost, s.reread = nil, false
	s.mu.Unlock()
	for _, p := range lost {
		s.cur.drop(p)
		s.m.lag.DeleteLabelValues(partitionLabel(p))
		s.m.eventLag.DeleteLabelValues(partitionLabel(p))
	}
	if len(lost) > 0 {
		s.health.mu.Lock()
		for _, p := range lost {
			delete(s.health.refused, p)
		}
		s.m.refused.Set(float64(len(s.health.refused)))
		s.health.mu.Unlock()
		client.ResumeFetchPartitions(map[string][]int32{wire.JournalTopic: lost})
	}
	if !reread {
		return nil
	}
	if err := s.readProgress(ctx); err != nil {
		return err
	}
	// What is in the batch was handled, though ClickHouse has not seen it yet.
	for k, p := range s.cur.marks {
		s.stored[k] = max(s.stored[k], p.To)
	}
	return nil
}

// filterOwned keeps the offsets of partitions that are still this member's.
func (s *Store) filterOwned(offsets map[int32]kgo.EpochOffset) map[int32]kgo.EpochOffset {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[int32]kgo.EpochOffset, len(offsets))
	for p, o := range offsets {
		if s.owned[p] && !slices.Contains(s.lost, p) {
			out[p] = o
		}
	}
	return out
}
