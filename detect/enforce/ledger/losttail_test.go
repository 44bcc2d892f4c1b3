package ledger

import (
	"slices"
	"testing"

	"flyball/schema"
)

// trail returns entries of a chain at offsets of an epoch, after an end.
func trail(from Chain, epoch int64, offsets ...int64) (out []schema.AuditEntry) {
	for _, at := range offsets {
		e := schema.AuditEntry{Seq: from.Seq + 1, Tenant: "t", Offset: schema.PositionOffset(epoch, at), Kind: "trip", Prev: from.Hash}
		e.Hash = e.ComputeHash()
		from = Chain{e.Seq, e.Hash}
		out = append(out, e)
	}
	return out
}

func endOf(entries []schema.AuditEntry) Chain {
	e := entries[len(entries)-1]
	return Chain{e.Seq, e.Hash}
}

func TestLostTailPassesForTampering(t *testing.T) {
	whole := trail(Chain{}, 0, 3, 5, 8)
	lost := trail(endOf(whole), 0, 12, 15, 17)
	later := trail(endOf(whole), 1, 13, 14)
	loss := []schema.LogLoss{{Topic: "flyball.commands", Kind: schema.LossCut, From: 10, To: 18, Epoch: 1}}
	mixed := slices.Concat(whole, []schema.AuditEntry{lost[0], later[0], lost[1], later[1], lost[2]})
	for name, c := range map[string]struct {
		entries []schema.AuditEntry
		losses  []schema.LogLoss
		live    Chain
		lost    int
		holds   bool
	}{
		"the chain went on":         {mixed, loss, endOf(later), 3, true},
		"nothing was written since": {slices.Concat(whole, lost), loss, endOf(whole), 3, true},
		"a snapshot held them":      {slices.Concat(whole, lost, trail(endOf(lost), 1, 13)), loss, Chain{Seq: 7}, 0, true},
		"no loss was noted":         {mixed, nil, endOf(later), 0, false},
		"entries before the loss":   {slices.Concat(whole, trail(endOf(whole), 0, 9), later), loss, endOf(later), 0, false},
		"expired commands explain nothing": {mixed, []schema.LogLoss{{Kind: schema.LossExpired, From: 10, To: 18, Epoch: 1}},
			endOf(later), 0, false},
	} {
		for _, size := range []int{1, 2, 100} {
			tail := NewLostTail(c.losses, c.live.Seq)
			var end Chain
			var fault *ChainFault
			check := func(entries []schema.AuditEntry) {
				if fault == nil {
					end, fault = Verify(end, entries)
				}
			}
			for batch := range slices.Chunk(c.entries, size) {
				check(tail.Chain(batch))
			}
			check(tail.End())
			if holds := fault == nil; holds != c.holds || c.holds && tail.Count != c.lost || c.lost > 0 && c.holds && end != c.live {
				t.Errorf("%s, batches of %d: fault %+v, %d lost, end %+v", name, size, fault, tail.Count, end)
			}
		}
	}
}
