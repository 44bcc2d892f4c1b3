package store

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/wire"
)

func (s *Store) assigned(_ context.Context, _ *kgo.Client, m map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range m[wire.JournalTopic] {
		s.owned[p] = true
		s.reread = true
	}
}

// revoked must not wait for ClickHouse: the group would. The loop drops what
// it holds of the partition; a batch that is being inserted may go on, since
// the next owner skips what it finds and merges with the rest.
func (s *Store) revoked(_ context.Context, _ *kgo.Client, m map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range m[wire.JournalTopic] {
		delete(s.owned, p)
		s.lost = append(s.lost, p)
	}
}

// rebalanced brings the loop's state in line with what the group decided. It
// runs before anything of the new assignment is taken.
func (s *Store) rebalanced(ctx context.Context) error {
	s.mu.Lock()
	lost, reread := s.lost, s.reread
	s.lost, s.reread = nil, false
	s.mu.Unlock()
	for _, p := range lost {
		s.cur.drop(p)
		s.m.lag.DeleteLabelValues(label(p))
		s.m.eventLag.DeleteLabelValues(label(p))
	}
	if len(lost) > 0 {
		s.health.mu.Lock()
		for _, p := range lost {
			delete(s.health.refused, p)
		}
		s.m.refused.Set(float64(len(s.health.refused)))
		s.health.mu.Unlock()
		s.client.ResumeFetchPartitions(map[string][]int32{wire.JournalTopic: lost})
	}
	if !reread {
		return nil
	}
	if err := s.readProgress(ctx); err != nil {
		return err
	}
	// What is in the batch is accepted though ClickHouse has not seen it.
	for k, p := range s.cur.marks {
		s.stored[k] = max(s.stored[k], p.To)
	}
	return nil
}

// ownedOf are the partitions among offsets that are still this member's.
func (s *Store) ownedOf(offsets map[int32]kgo.EpochOffset) map[int32]kgo.EpochOffset {
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
