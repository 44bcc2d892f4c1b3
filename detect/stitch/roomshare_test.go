package stitch

import (
	"fmt"
	"testing"
	"time"

	"flyball/schema"
)

func closedRuns(b *bench) (n int) {
	for _, a := range b.p.actors {
		n += len(a.closed.slots)
	}
	return n
}

// found is the state of a later stage that has a finding.
type found struct{ mark }

func (*found) HasFinding() bool { return true }

// A flood of claimed runs takes the room of claimed closed runs alone, and of these first of those that nobody has to look at.
func TestFloodOfClaimedRunsEvictsClosedRunsOfOthers(t *testing.T) {
	b := newBench(t, func(l *Limits) {
		l.OpenRuns, l.ClaimedRunsPerActor, l.ClosedRuns = 400, 400, 40
		l.SessionGap, l.RunGap, l.EvictAfter = time.Minute, time.Minute, time.Hour
	})
	own := openRunsEvery(b, 0, 15, time.Second, actor("c:own"), cred("own"))
	b.run(own[3].RunID).Trip(own[3].Start)
	of := openRunsEvery(b, 0, 3, time.Second, claimed, actor("c:x"), cred("x"))
	b.run(of[0].RunID).Trip(of[0].Start)
	b.run(of[1].RunID).Level = schema.LevelAlert
	for i := range 1500 {
		b.call(time.Minute+time.Duration(i)*2*time.Second, key(fmt.Sprint("f", i)), claimed, actor("c:x"), cred("x"))
	}
	for i, c := range own {
		if r := b.run(c.RunID); r == nil || r.State != schema.RunClosed {
			t.Errorf("established closed run %d is %v", i, r)
		}
	}
	for i, c := range of[:2] {
		if b.run(c.RunID) == nil {
			t.Errorf("claimed run %d, which is noticed, was evicted before others", i)
		}
	}
	if b.run(of[2].RunID) != nil {
		t.Error("a claimed run is kept above the share")
	}
	if n := len(b.p.actors["c:x"].closed.slots); n != 10 {
		t.Errorf("%d closed runs of claimed callers, want their share of 10", n)
	}
	checkPools(t, b)
}

// Of an actor above its limit of closed runs, a tripped one is evicted last.
func TestActorEvictsItsTrippedRunFirst(t *testing.T) {
	b := newBench(t, func(l *Limits) { l.ClosedRunsPerActor, l.RunGap, l.EvictAfter = 5, time.Minute, 10*time.Hour })
	first := b.call(0, key("tripped"))
	b.run(first.RunID).Trip(first.Start)
	openRunsEvery(b, 1, 60, time.Minute)
	if b.run(first.RunID) == nil || closedRuns(b) > 6 {
		t.Errorf("the tripped run is %v, %d closed runs", b.run(first.RunID), closedRuns(b))
	}
}

// A replay starts with actors that were saved after its first offset. A run with calls that the replay has not reached is no
// evidence that others are idle: what the first life refused is refused again.
func TestReplayClosesRunsThatTheFirstLifeKept(t *testing.T) {
	limit := func(l *Limits) { l.OpenRuns = 20 }
	calls := func(b *bench) {
		for i := range 20 {
			b.call(time.Duration(i)*time.Second, key(fmt.Sprint("r", i)), actor(fmt.Sprint("c:", i%4)), cred(fmt.Sprint("k", i%4)))
		}
	}
	tail := func(b *bench) (rules []schema.RunRule) {
		for i := range 5 {
			c := b.call(30*time.Second+time.Duration(i)*time.Second, key(fmt.Sprint("n", i)), actor("c:new"), cred("new"))
			rules = append(rules, c.RunRule)
		}
		b.call(40*time.Minute, key("r0"), actor("c:0"), cred("k0"))
		return rules
	}
	first := newBench(t, limit)
	calls(first)
	into := newBench(t, limit)
	into.p.SetWatermark(first.p.watermark)
	into.offset, into.w.Sources = first.offset, map[schema.Source]SourceTime{}
	for s, at := range first.w.Sources {
		into.w.Sources[s] = at
	}
	first.w.Note(schema.Source{Topic: "behind"}, t0.UnixNano(), 0)
	into.w.Note(schema.Source{Topic: "behind"}, t0.UnixNano(), 0)
	var values [][]byte
	for i := range 4 {
		if i > 0 { // actor 0 is saved later than the others, ahead of the offset from which the log is read again
			values = append(values, EncodeActor(nil, first.p.actors[fmt.Sprint("c:", i)], 1))
		}
	}
	want := tail(first)
	for _, value := range append(values, EncodeActor(nil, first.p.actors["c:0"], 1)) {
		a, _, err := into.p.Restore(value)
		if err != nil {
			t.Fatal(err)
		}
		into.p.Adopt(a)
	}
	if got := tail(into); fmt.Sprint(got) != fmt.Sprint(want) || into.p.ClosedEarly() != first.p.ClosedEarly() {
		t.Errorf("bound by %v, in the first life by %v; %d closed early, then %d", got, want, into.p.ClosedEarly(), first.p.ClosedEarly())
	}
}

// When others fill the partition, closing the idle runs of an actor gives no room to a run of another standing: none is closed. When
// it gives room, one is closed, not more.
func TestIdleRunsAreClosedForARunThatIsRefused(t *testing.T) {
	b := newBench(t, func(l *Limits) { l.OpenRuns, l.OpenRunsPerActor, l.ClaimedRunsPerActor = 40, 40, 4 })
	mixed := openRunsEvery(b, 0, 4, time.Second, claimed, actor("c:x"), cred("x"))
	for i := range 40 {
		b.call(20*time.Minute+time.Duration(i)*time.Second, established(i))
	}
	early := b.p.ClosedEarly()
	for i := range 3 {
		if c := b.call(21*time.Minute, invented(i)); c.RunRule == schema.RunOverflow && b.p.ClosedEarly() != early+uint64(i) {
			t.Errorf("%d idle runs closed for a run that is refused", b.p.ClosedEarly()-early-uint64(i))
		} else if n := b.p.ClosedEarly() - early; n > uint64(i+1) {
			t.Errorf("%d idle runs closed for %d new ones", n, i+1)
		}
	}
	// An actor at its limit whose idle runs are of claimed callers, and a run of an established one: the partition is full.
	before := b.p.ClosedEarly()
	for i := range 3 {
		b.p.limits.OpenRunsPerActor = 1
		if c := b.call(21*time.Minute, key(fmt.Sprint("e", i)), actor("c:x"), cred("e")); c.RunRule != schema.RunOverflow {
			t.Errorf("an established run above the limit is bound by %v", c.RunRule)
		}
	}
	if n := b.p.ClosedEarly() - before; n != 0 {
		t.Errorf("%d idle runs closed for runs that are refused", n)
	}
	if r := b.run(mixed[3].RunID); r == nil || r.State != schema.RunOpen {
		t.Error("a claimed run was closed in vain")
	}
	if b.p.counters.openPools.total() > 40+10 {
		t.Errorf("%d open runs: more than the limit and the claimed share", b.p.counters.openPools.total())
	}
	checkPools(t, b)
}

// Established and proven runs share the limit, and claimed ones have a quarter: the sum does not exceed it by more.
func TestStandingsTogetherExceedTheLimit(t *testing.T) {
	b := newBench(t, func(l *Limits) { l.OpenRuns, l.Actors = 100, 1000 })
	last := accept(b, 21, 31*time.Second)
	at := time.Duration(last.Start - t0.UnixNano())
	for i := range 200 {
		b.call(at, key(fmt.Sprint("p", i)), claimed)
	}
	for i := range 200 {
		b.call(at, invented(i))
	}
	for i := range 200 {
		b.call(at, established(i))
	}
	if n := b.p.counters.openPools; n != (pools{25, 50, 50}) {
		t.Errorf("open runs by standing %v", n)
	}
	for i := range 100 { // idle proven runs make room for established ones
		b.call(at+10*time.Minute, established(1000+i))
	}
	if n := b.p.counters.openPools; n[schema.StandingEstablished] != 100 || n.total() > 125 {
		t.Errorf("open runs by standing %v after ten minutes", n)
	}
	checkPools(t, b)
}

// A run with a trip, a finding or the level of an alert is not closed early: its page would be resolved and sent again.
func TestRunWithAPageIsClosedEarly(t *testing.T) {
	for _, packed := range []bool{false, true} {
		b := newBench(t, func(l *Limits) { l.OpenRunsPerActor = 10 })
		b.p.SetRunAttachment(func() Attachment { return &found{} })
		own := openRunsEvery(b, 0, 10, time.Second)
		b.run(own[0].RunID).Trip(own[0].Start)
		b.run(own[1].RunID).Level = schema.LevelAlert
		b.run(own[2].RunID).Attached = &found{}
		if packed { // a restart packs also runs with a finding
			into := newBench(t, func(l *Limits) { l.OpenRunsPerActor = 10 })
			into.p.SetRunAttachment(func() Attachment { return &found{} })
			into.p.SetWatermark(b.p.watermark)
			into.w, into.offset = b.w, b.offset
			a, _, err := into.p.Restore(EncodeActor(nil, b.p.actors["c:k1"], 1))
			if err != nil {
				t.Fatal(err)
			}
			into.p.Adopt(a)
			b = into
		}
		b.call(15*time.Minute, key("other"), actor("c:other"), cred("other"))
		for i, c := range openRunsEvery(b, 20, 10, time.Minute) {
			if c.RunRule == schema.RunOverflow && i < 7 {
				t.Errorf("run %d found no room", i)
			}
		}
		for i, c := range own {
			if open := b.run(c.RunID).State == schema.RunOpen; open != (i < 3) {
				t.Errorf("packed %v, run %d: open %v", packed, i, open)
			}
		}
		checkPools(t, b)
		b.call(2*time.Hour, key("z")) // silence closes them as before
		for i, c := range own[:3] {
			if r := b.run(c.RunID); r != nil && r.State != schema.RunClosed {
				t.Errorf("packed %v, run %d is never closed", packed, i)
			}
		}
	}
}

// A late call opens a closed run of a claimed caller only if there is room.
func TestClaimedCallerExceedsItsShareByReopening(t *testing.T) {
	b := newBench(t, func(l *Limits) {
		l.OpenRuns, l.ClosedRuns, l.RunGap, l.EvictAfter = 40, 400, 10*time.Minute, 10*time.Hour
	})
	for i := range 50 {
		openRunsEvery(b, i, 1, 20*time.Minute, claimed, actor("c:x"), cred("x"))
	}
	for range 2 {
		for i := 40; i < 50; i++ {
			b.call(1000*time.Minute, key(fmt.Sprint("n", i)), claimed, actor("c:x"), cred("x"))
		}
	}
	at := func(c *schema.Call) { c.Start = t0.Add(1000 * time.Minute).UnixNano() }
	calls := openRunsEvery(b, 0, 40, 0, claimed, actor("c:x"), cred("x"), at)
	if n := b.p.counters.openPools[schema.StandingClaimed]; n > 10 {
		t.Errorf("%d open runs of claimed callers, whose share is 10", n)
	}
	refused := 0
	for _, c := range calls {
		if c.RunRule == schema.RunOverflow {
			refused++
			if r := b.run(c.RunID); r.Rule != schema.RunOverflow || r.State != schema.RunOpen {
				t.Fatalf("a refused call is in a run of rule %v", r.Rule)
			}
		}
	}
	if refused != 39 && refused != 40 {
		t.Errorf("%d of 40 late calls refused", refused)
	}
	checkPools(t, b)
}
