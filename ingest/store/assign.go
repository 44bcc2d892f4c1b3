package store

import (
	"context"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/wire"
)

// assignment is which partitions of the journal the group has assigned to this member.
type assignment struct {
	mu     sync.Mutex
	owned  map[int32]bool
	lost   []int32 // revoked since the last call of changes
	reread bool    // partitions were assigned since the last call of changes
}

// onAssigned records partitions that the group has assigned to this member.
func (a *assignment) onAssigned(_ context.Context, _ *kgo.Client, m map[string][]int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range m[wire.JournalTopic] {
		a.owned[p] = true
		a.reread = true
	}
}

// onRevoked records partitions that were revoked. It does not wait for ClickHouse, because the whole group would wait too. The loop drops
// its blocks of the partition. A batch that is being inserted may continue: the next owner skips records that are already stored, and
// repeated rows merge.
func (a *assignment) onRevoked(_ context.Context, _ *kgo.Client, m map[string][]int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range m[wire.JournalTopic] {
		delete(a.owned, p)
		a.lost = append(a.lost, p)
	}
}

// changes returns the partitions that were revoked since its last call, and whether others were assigned.
func (a *assignment) changes() (lost []int32, assigned bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	lost, assigned = a.lost, a.reread
	a.lost, a.reread = nil, false
	return lost, assigned
}

// filterOwned returns the offsets of partitions that this member still owns.
func (a *assignment) filterOwned(offsets map[int32]kgo.EpochOffset) map[int32]kgo.EpochOffset {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make(map[int32]kgo.EpochOffset, len(offsets))
	for p, o := range offsets {
		if a.owned[p] && !slices.Contains(a.lost, p) {
			out[p] = o
		}
	}
	return out
}
