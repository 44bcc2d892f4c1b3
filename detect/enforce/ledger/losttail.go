package ledger

import (
	"cmp"
	"slices"

	"flyball/schema"
)

// LostTail separates the entries of a stored trail whose commands the log has lost before a snapshot
// held them: a point that restarts does not know these commands, and continues the chain before
// them. The entries are true, but not part of the chain.
type LostTail struct {
	losses  []schema.LogLoss
	live    uint64 // last entry that the point has
	epoch   int64  // of the last entry of the chain
	pending []schema.AuditEntry

	// Count is how many entries were separated; First and Last are the first and last of their
	// numbers.
	Count       int
	First, Last uint64
}

// NewLostTail returns a LostTail for a trail of which a point has the entries up to live. losses are
// those of flyball.commands.
func NewLostTail(losses []schema.LogLoss, live uint64) *LostTail {
	return &LostTail{losses: losses, live: live}
}

// Chain returns the entries of a batch that belong to the chain. Batches come in the order of the
// entries' numbers; entries of the last number are returned by the next call, or by End.
func (t *LostTail) Chain(batch []schema.AuditEntry) []schema.AuditEntry {
	var out []schema.AuditEntry
	for i := range batch {
		if len(t.pending) > 0 && t.pending[0].Seq != batch[i].Seq {
			out = append(out, t.End()...)
		}
		t.pending = append(t.pending, batch[i])
	}
	return out
}

// End returns the entries of the last number that belong to the chain.
func (t *LostTail) End() (out []schema.AuditEntry) {
	slices.SortStableFunc(t.pending, func(a, b schema.AuditEntry) int {
		return cmp.Compare(schema.PositionEpoch(b.Offset), schema.PositionEpoch(a.Offset))
	})
	for _, e := range t.pending {
		if t.isLost(&e) {
			if t.Count++; t.First == 0 {
				t.First = e.Seq
			}
			t.Last = e.Seq
			continue
		}
		t.epoch = max(t.epoch, schema.PositionEpoch(e.Offset))
		out = append(out, e)
	}
	t.pending = t.pending[:0]
	return out
}

// isLost reports whether the command of an entry was lost: a noted loss includes its offset, and the
// chain has gone on without it, or ends before it.
func (t *LostTail) isLost(e *schema.AuditEntry) bool {
	epoch := schema.PositionEpoch(e.Offset)
	if epoch >= t.epoch && e.Seq <= t.live {
		return false
	}
	return slices.ContainsFunc(t.losses, func(l schema.LogLoss) bool {
		return l.Kind != schema.LossExpired && epoch < l.Epoch && schema.KafkaOffset(e.Offset) >= l.From
	})
}
