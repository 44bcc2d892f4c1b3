package engine

import (
	"context"
	"testing"
	"time"

	"flyball/schema"
)

// After a takeover all actors were written whole in one round: with 240,000 open runs in a partition no call of it was judged for 14 s.
func TestFirstCheckpointAfterATakeoverStopsJudging(t *testing.T) {
	f, _, err := takeOverOf(t, stateOfAgents(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	f.cfg.CheckpointEvery = 30 * time.Second
	f.checkpoint.anewBytes = 1
	actors := []string{"g:0", "g:1", "g:2"}
	for _, key := range actors {
		f.call(night, func(c *schema.Call) { c.RoutingKey, c.RunKey = key, "run-0" })
		f.offset++
	}
	written := func() (n int) {
		for _, key := range actors {
			if _, next := f.state.StoredDeltas(key); next > 0 {
				n++
			}
		}
		return n
	}
	next := f.offset
	for _, second := range []int{0, 29} {
		if err := f.checkpoint.saveIfDue(context.Background(), night.Add(time.Duration(second)*time.Second), next); err != nil {
			t.Fatal(err)
		}
		if got := written(); got != 0 {
			t.Errorf("%d actors are written after %d s", got, second)
		}
	}
	for round := 1; round <= 3; round++ {
		now := night.Add(time.Duration(59+round) * time.Second)
		if err := f.checkpoint.saveIfDue(context.Background(), now, next); err != nil {
			t.Fatal(err)
		}
		if got := written(); got != round {
			t.Errorf("%d actors are written after %d rounds", got, round)
		}
	}
	if len(f.state.Dirty()) != 0 || f.checkpoint.committed != next {
		t.Errorf("%d actors are left, a restart reads from %d and not %d", len(f.state.Dirty()), f.checkpoint.committed, next)
	}
	// They are this owner's now: what changes of them is small, and is written at once.
	for _, key := range actors {
		f.call(night, func(c *schema.Call) { c.RoutingKey, c.RunKey = key, "run-0" })
		f.offset++
	}
	for _, second := range []int{70, 105} {
		if err := f.checkpoint.saveIfDue(context.Background(), night.Add(time.Duration(second)*time.Second), f.offset); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.state.Dirty()) != 0 {
		t.Errorf("%d actors are left", len(f.state.Dirty()))
	}
}
