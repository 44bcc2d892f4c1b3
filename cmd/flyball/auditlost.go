package main

import (
	"fmt"
	"math"

	"flyball/detect/enforce/ledger"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wire"
)

// lostTail returns what separates the entries of commands that flyball.commands has lost from the rest of a stored trail.
func lostTail(r *request, db query.DB) (*ledger.LostTail, error) {
	losses, err := query.LogLosses(r.ctx, db, wire.CommandsTopic)
	if err != nil || len(losses) == 0 {
		return ledger.NewLostTail(nil, math.MaxUint64), err
	}
	live := uint64(math.MaxUint64) // without a point, only entries that the chain has passed by count as lost
	if control, err := r.control(); err == nil {
		if end, err := liveTrail(r.ctx, control, ledger.Chain{}); err == nil {
			live = end.Seq
		}
	}
	return ledger.NewLostTail(losses, live), nil
}

// lostEntries is the sentence about entries whose commands were lost; empty if there are none.
func lostEntries(t *ledger.LostTail) string {
	if t.Count == 0 {
		return ""
	}
	return fmt.Sprintf("; besides, %d entries (numbers %d to %d) are of commands that %s lost at its end, see the view log_losses: they "+
		"were applied then, and are not in force now", t.Count, t.First, t.Last, wire.CommandsTopic)
}
