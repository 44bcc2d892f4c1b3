package store

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/wire"
)

// onAssigned records partitions that the group has assigned to this member.
func (s *Store) onAssigned(_ context.Context, _ *kgo.Client, m map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range m[wire.JournalTopic] {
		s.owned[p] = true
		s.reread = true
	}
}

// onRevoked records partitions that were revoked. It does not wait for ClickHouse, because the whole group would wait too. The loop drops
// its blocks of the partition. A batch that is being inserted may continue: the next owner skips records that are already stored, and
// repeated rows merge.
func (s *Store) onRevoked(_ context.Context, _ *kgo.Client, m map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range m[wire.JournalTopic] {
		delete(s.owned, p)
		s.lost = append(s.lost, p)
	}
}

// applyRebalance applies assigned and revoked partitions to the loop's state. It runs before a record of the new assignment is handled.
func (s *Store) applyRebalance(ctx context.Context, client *kgo.Client) error {
	s.mu.Lock()
	lost, reread := s.lost, s.reread
	s.lost, s.reread = nil, false
	s.mu.Unlock()
	for _, p := range lost {
		s.cur.drop(p)
		s.m.lag.DeleteLabelValues(partitionLabel(p))
		s.m.eventAge.forget(p)
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
	// Records in the batch count as handled although their progress is not in ClickHouse yet.
	for k, p := range s.cur.marks {
		s.stored[k] = max(s.stored[k], p.To)
	}
	return nil
}

// filterOwned returns the offsets of partitions that this member still owns.
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
