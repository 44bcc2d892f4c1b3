package stitch

import (
	"fmt"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/wire"
)

// note is a state of an actor that is needed for a day after it was written: the number of calls since it was made.
type note struct {
	calls uint64
	until int64
}

func (n *note) Code(c *wire.Coder) {
	c.Uint(&n.calls)
	c.Int(&n.until)
}

func (n *note) NeededUntil() int64 { return n.until }

// noted applies a call, counts it in its actor's note, and returns the count.
func noted(b *bench, at time.Duration, opts ...option) uint64 {
	c := b.call(at, opts...)
	a := b.run(c.RunID).Owner()
	n, _ := a.Attached.(*note)
	if n == nil {
		n = &note{}
		a.Attached = n
	}
	n.calls++
	n.until = c.Start + day
	return n.calls
}

// saveAll saves all actors, and forgets those that nothing needs.
func saveAll(b *bench) {
	for len(b.p.dirty) > 0 {
		b.p.EncodeChanges(b.p.dirty[0], 1)
		b.p.Saved(1)
	}
	for k := range b.p.actors {
		b.p.Forget(k)
	}
}

// Whether an actor is remembered follows from the log: a checkpoint, whose time does not, changes nothing.
func TestCheckpointChangesWhatIsRemembered(t *testing.T) {
	small := func(l *Limits) { l.Actors = 80 }
	with, without := newBench(t, small), newBench(t, small)
	for i := range 4000 {
		at := time.Duration(i) * 7 * time.Minute
		n := i * 7919 % 61
		opt := invented(n)
		if n%3 == 0 {
			opt = established(n % 31)
		}
		if i%500 > 400 { // so that others have been away for a day
			opt = established(1)
		}
		a, b := noted(with, at, opt), noted(without, at, opt)
		if a != b {
			t.Fatalf("call %d is number %d of its actor with checkpoints, and %d without", i, a, b)
		}
		if i%3 == 0 {
			saveAll(with)
		}
	}
	checkPools(t, with)
	checkPools(t, without)
	if len(without.p.idle.byStanding[schema.StandingClaimed]) > 200 {
		t.Errorf("%d entries of idle actors", len(without.p.idle.byStanding[schema.StandingClaimed]))
	}
}

// Actors that are remembered without runs took the places of new ones for a day.
func TestRememberedActorsTakeTheRoomOfNewOnes(t *testing.T) {
	b := newBench(t, func(l *Limits) { l.Actors = 80 })
	own := b.p.limits.claimedActors()
	for i := range own {
		noted(b, 0, invented(i))
	}
	b.call(2*time.Hour, established(1))
	b.call(4*time.Hour, established(1))
	saveAll(b)
	if n := b.p.counters.actorPools[schema.StandingClaimed]; n != own {
		t.Fatalf("%d of %d claimed actors are remembered", n, own)
	}
	for i := range own {
		if c := b.call(4*time.Hour, invented(1000+i)); b.p.actors[c.RoutingKey] == nil {
			t.Fatalf("the actor of new caller %d is shared", i)
		}
	}
	checkPools(t, b)
	if c := b.call(4*time.Hour, invented(2000)); b.p.actors[c.RoutingKey] != nil {
		t.Error("an actor beyond the limit")
	}
	if c := b.call(4*time.Hour, invented(0)); b.p.actors[c.RoutingKey].total != 0 {
		t.Error("a released actor has a run beyond the limit")
	}
	saveAll(b)
	if n := b.p.Actors(); n > own+1+b.p.limits.sharedActors()+1 {
		t.Errorf("%d actors", n)
	}
	checkPools(t, b)
}

// A restart keeps the order in which remembered actors give their places to others.
func TestRestartForgetsWhoIsIdle(t *testing.T) {
	limit := func(l *Limits) { l.Actors = 80 }
	b := newBench(t, limit)
	own := b.p.limits.claimedActors()
	for i := range own {
		noted(b, time.Duration(i)*time.Minute, invented(i))
	}
	for i := range 70 { // evicts them one after another
		b.call(time.Duration(30+i)*time.Minute, established(1))
	}
	again := newBench(t, limit)
	again.p.newActorAttachment = func() Attachment { return &note{} }
	for _, a := range b.p.actors {
		read, _, err := again.p.Restore(EncodeActor(nil, a, 1))
		if err != nil {
			t.Fatal(err)
		}
		again.p.Adopt(read)
	}
	again.p.watermark, again.w, again.offset = b.p.watermark, b.w, b.offset
	for i := range own {
		for _, x := range []*bench{b, again} {
			x.call(2*time.Hour, invented(1000+i))
		}
		for n := range own {
			k := fmt.Sprint("c:x", n)
			if a, c := b.p.actors[k], again.p.actors[k]; a != nil && c != nil && a.released != c.released {
				t.Fatalf("after %d new callers, %s gave its place: %v, after the restart %v", i+1, k, a.released, c.released)
			}
		}
	}
}
