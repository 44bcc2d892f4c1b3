package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/stitch"
)

// earlierOwners is what earlier owners of a partition have in flyball.state and this owner has not replaced yet.
type earlierOwners struct {
	actors      map[string][]string // keys of the deltas of each actor
	records     []string            // generations of partition records
	notes       []string            // generations of notes
	counts      []string            // keys of counters
	countsUntil int64               // the offset that this owner's counters include before counts are deleted
}

// none reports whether nothing of earlier owners is left that a restart would need.
func (e *earlierOwners) none(state *stitch.Store) bool {
	return len(e.counts)+len(e.records)+len(e.notes) == 0 && !e.storeAlone(state)
}

// storeAlone reports whether an actor is stored by an earlier owner only.
func (e *earlierOwners) storeAlone(state *stitch.Store) bool {
	for actor := range e.actors {
		if state.Actor(actor) != nil {
			return true
		}
	}
	return false
}

// clearEarlierCounts adds to the tombstones those of earlier owners' counters. They are kept until this owner has counted all that a
// replaced owner can have read before the takeover: its last entries can come after the claim, and include more. They are also kept while
// an earlier owner's chain of an actor is the one that counts: a replaced owner that wakes up can add calls to it that were read since,
// and its counters must be whole to include them, too.
//
// What is left: such an owner stores an actor that no other owner has stored, after everything of it was cleared here. It writes only
// actors that have been dirty for CheckpointEvery, so it must have run for that long without noticing that it was replaced, which a
// member of the group does within kafka.SessionTimeout. Then these calls are missing in the counts by minute, and not in calls and runs.
func (c *checkpointer) clearEarlierCounts(tombstones []*kgo.Record) []*kgo.Record {
	e := &c.earlier
	if len(e.counts) == 0 || c.journal.counts.Included() < e.countsUntil || e.storeAlone(c.state) {
		return tombstones
	}
	for _, key := range e.counts {
		tombstones = append(tombstones, c.record([]byte(key), nil))
	}
	e.counts = nil
	return tombstones
}

// clearDeltas adds to the tombstones those of this owner's deltas of an actor with the numbers [from, to).
func (c *checkpointer) clearDeltas(tombstones []*kgo.Record, actor string, from, to uint64) []*kgo.Record {
	for ; from < to; from++ {
		tombstones = append(tombstones, c.record(deltaKey(c.generation, from, actor), nil))
	}
	return tombstones
}

// clearEarlier adds to the tombstones those of what earlier owners stored of an actor.
func (c *checkpointer) clearEarlier(tombstones []*kgo.Record, actor string) []*kgo.Record {
	for _, key := range c.earlier.actors[actor] {
		tombstones = append(tombstones, c.record([]byte(key), nil))
	}
	delete(c.earlier.actors, actor)
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
			tombstones = c.clearEarlier(c.clearDeltas(tombstones, e.actor, first, next), e.actor)
		}
	}
	c.emptyActors = rest
	e := &c.earlier
	for _, generation := range e.records {
		tombstones = append(tombstones, c.record([]byte("p/"+generation), nil))
	}
	for _, generation := range e.notes {
		tombstones = append(tombstones, c.record([]byte(notePrefix+generation), nil))
	}
	e.records, e.notes = nil, nil
	if len(tombstones) == 0 {
		return nil
	}
	if err := c.write(ctx, tombstones...); err != nil {
		return fmt.Errorf("clear entries that nothing needs any more: %w", err)
	}
	return nil
}
