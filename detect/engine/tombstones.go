package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// clearOldCounts adds to the tombstones those of earlier owners' counters. They are kept until this owner has counted all that a
// replaced owner can have read before the takeover: its last entries can come after the claim, and include more. They are also kept while
// an earlier owner's chain of an actor is the one that counts: a replaced owner that wakes up can add calls to it that were read since,
// and its counters must be whole to include them, too.
//
// What is left: such an owner stores an actor that no other owner has stored, after everything of it was cleared here. It writes only
// actors that have been dirty for CheckpointEvery, so it must have run for that long without noticing that it was replaced, which a
// member of the group does within kafka.SessionTimeout. Then these calls are missing in the counts by minute, and not in calls and runs.
func (c *checkpointer) clearOldCounts(tombstones []*kgo.Record) []*kgo.Record {
	if len(c.oldCounts) == 0 || c.journal.counts.Included() < c.countsUntil || c.hasStale() {
		return tombstones
	}
	for _, key := range c.oldCounts {
		tombstones = append(tombstones, c.record([]byte(key), nil))
	}
	c.oldCounts = nil
	return tombstones
}

// hasStale reports whether an actor is stored by an earlier owner only.
func (c *checkpointer) hasStale() bool {
	for actor := range c.stale {
		if c.state.Actor(actor) != nil {
			return true
		}
	}
	return false
}

// clearDeltas adds to the tombstones those of this owner's deltas of an actor with the numbers [from, to).
func (c *checkpointer) clearDeltas(tombstones []*kgo.Record, actor string, from, to uint64) []*kgo.Record {
	for ; from < to; from++ {
		tombstones = append(tombstones, c.record(deltaKey(c.generation, from, actor), nil))
	}
	return tombstones
}

// clearStale adds to the tombstones those of what earlier owners stored of an actor.
func (c *checkpointer) clearStale(tombstones []*kgo.Record, actor string) []*kgo.Record {
	for _, key := range c.stale[actor] {
		tombstones = append(tombstones, c.record([]byte(key), nil))
	}
	delete(c.stale, actor)
	return tombstones
}

// keptEvery is how often the actors are looked at that are kept without runs: there can be as many as there are actors.
const keptEvery = time.Minute

// writeTombstones deletes the deltas of actors that have no runs, and the partition records of
// earlier owners. The deltas are kept until the committed offset has passed them, otherwise a
// replay would apply their calls again; and until the next record after that, so that a replaced owner
// that does not know it yet deletes nothing in its first round.
func (c *checkpointer) writeTombstones(ctx context.Context) error {
	var tombstones []*kgo.Record
	if c.lookedAt.Sub(c.keptLook) >= keptEvery {
		c.emptyActors, c.keptActors, c.keptLook = append(c.emptyActors, c.keptActors...), c.keptActors[:0], c.lookedAt
	}
	rest := c.emptyActors[:0]
	for _, e := range c.emptyActors {
		if e.included >= c.passed {
			rest = append(rest, e)
			continue
		}
		if a := c.state.Actor(e.actor); a == nil || a.Included != e.included {
			continue // forgotten, or it had calls since: a later entry stands for it
		}
		first, next := c.state.StoredDeltas(e.actor)
		done, later := c.state.Forget(e.actor)
		if later {
			c.keptActors = append(c.keptActors, e)
		}
		if done {
			tombstones = c.clearStale(c.clearDeltas(tombstones, e.actor, first, next), e.actor)
		}
	}
	c.emptyActors = rest
	for _, generation := range c.oldRecords {
		tombstones = append(tombstones, c.record([]byte("p/"+generation), nil))
	}
	for _, generation := range c.oldNotes {
		tombstones = append(tombstones, c.record([]byte(notePrefix+generation), nil))
	}
	c.oldRecords, c.oldNotes = nil, nil
	if len(tombstones) == 0 {
		return nil
	}
	if err := c.write(ctx, tombstones...); err != nil {
		return fmt.Errorf("clear entries that nothing needs any more: %w", err)
	}
	return nil
}
