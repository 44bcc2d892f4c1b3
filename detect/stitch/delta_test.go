package stitch

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/wire"
)

// chain is what is stored of one actor: its deltas by number, as a compacted topic holds them.
type chain struct {
	values map[uint64][]byte
	last   uint64
	bytes  int
	runs   int
}

// save stores a checkpoint of an actor. torn leaves the last delta out, as when the process is killed before it.
func (s *chain) save(t *testing.T, p *Partition, a *Actor, torn bool) {
	t.Helper()
	before := a.storedRuns
	deltas, from, to := p.EncodeChanges(a, 7)
	if torn {
		deltas = deltas[:len(deltas)-1]
	}
	for _, d := range deltas {
		s.values[d.Number] = d.Value
		s.bytes += len(d.Value)
	}
	if torn {
		return
	}
	if to > from { // it began again
		before = 0
	}
	s.runs += a.storedRuns - before
	s.last = deltas[len(deltas)-1].Number
	for ; from < to; from++ {
		delete(s.values, from)
	}
}

// restored returns the actor as a restart reads it.
func (s *chain) restored(t *testing.T, p *Partition) *Actor {
	t.Helper()
	h, err := ReadDeltaHeader(s.values[s.last])
	if err != nil || !h.Last || h.Generation != 7 || h.Number != s.last {
		t.Fatalf("header %+v: %v", h, err)
	}
	var values [][]byte
	for n := h.First; n <= s.last; n++ {
		values = append(values, s.values[n])
	}
	a, _, err := p.Restore(values...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// content returns an actor as a chain of one delta; two actors with equal content behave equally.
func content(t *testing.T, a *Actor) map[string]string {
	t.Helper()
	out := map[string]string{}
	c := wire.NewWriter(nil, wire.KindState, StateVersion)
	codeOwn(c, a, nil)
	out["own"] = fmt.Sprintf("%x %d", c.Bytes(), a.Included)
	for r := range a.runs.all {
		var w deltaWriter
		c := wire.NewWriter(nil, wire.KindState, StateVersion)
		w.encodeRun(c, r)
		out[r.RunID.String()] = string(c.Bytes())
	}
	return out
}

// Whatever an actor does between its checkpoints, and whether or not a checkpoint is torn, a restart reads it as it was at
// its last whole checkpoint.
func TestRunOfAnotherCheckpointIsRestored(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	b := newBench(t, func(l *Limits) { l.ClosedRunsPerActor = 10 })
	b.p.SetRunAttachment(func() Attachment { return &mark{} })
	b.p.SetActorAttachment(func() Attachment { return &mark{} })
	stored := &chain{values: map[uint64][]byte{}}
	var want map[string]string
	var at time.Duration
	for round := range 400 {
		for range random.IntN(12) {
			at += time.Duration(random.IntN(90)) * time.Second
			c := b.call(at, key(fmt.Sprint("r", random.IntN(40))), trace(byte(random.IntN(20)+1)))
			if r := b.run(c.RunID); r != nil {
				r.Attached = &mark{uint64(round)}
			}
		}
		if random.IntN(10) == 0 {
			at += time.Hour // runs are closed, evicted, and opened again with the same id
		}
		a := b.p.actors["c:k1"]
		if a == nil {
			continue
		}
		if random.IntN(3) == 0 {
			b.p.Freeze(uint32(random.IntN(2)))
		}
		stored.save(t, b.p, a, false)
		want = content(t, a)
		into := newBench(t).p
		into.SetRunAttachment(func() Attachment { return &mark{} })
		into.SetActorAttachment(func() Attachment { return &mark{} })
		if got := content(t, stored.restored(t, into)); !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d: %d runs, want %d", round, len(got)-1, len(want)-1)
		}
	}
	if len(want) < 10 || stored.last < 300 {
		t.Fatalf("%d runs in %d deltas: the test shows nothing", len(want), stored.last)
	}
}

// A checkpoint that is divided counts only with its last delta.
func TestTornCheckpointIsHalfRestored(t *testing.T) {
	b := newBench(t, func(l *Limits) { l.OpenRunsPerActor, l.OpenRuns = 100_000, 100_000 })
	name := strings.Repeat("x", 900)
	calls := func(from, to int) {
		for i := from; i < to; i++ {
			b.call(time.Duration(i)*time.Millisecond, key(fmt.Sprint(name, i%3000)))
		}
	}
	stored := &chain{values: map[uint64][]byte{}}
	calls(0, 3000)
	a := b.p.actors["c:k1"]
	stored.save(t, b.p, a, false)
	if len(stored.values) < 3 {
		t.Fatalf("%d deltas: the test shows nothing", len(stored.values))
	}
	for n, v := range stored.values {
		if len(v) > maxDelta+8<<10 {
			t.Errorf("delta %d has %d bytes", n, len(v))
		}
	}
	want := content(t, a)
	calls(3000, 6000)
	last := stored.last
	stored.save(t, b.p, a, true)
	if len(stored.values) <= int(last) {
		t.Fatal("nothing of the torn checkpoint is stored")
	}
	if got := content(t, stored.restored(t, newBench(t).p)); !reflect.DeepEqual(got, want) {
		t.Errorf("%d runs, want those of the checkpoint before", len(got))
	}
}

// What a checkpoint writes is in proportion to the runs that have changed, and what is kept to all runs.
func TestCheckpointWritesRunsThatHaveNotChanged(t *testing.T) {
	b := newBench(t)
	stored := &chain{values: map[uint64][]byte{}}
	const open = 1000
	for i := range open {
		b.call(time.Duration(i)*time.Millisecond, key(fmt.Sprint("r", i)))
	}
	a := b.p.actors["c:k1"]
	stored.save(t, b.p, a, false)
	whole := stored.bytes
	stored.bytes, stored.runs = 0, 0
	const rounds = 10_000
	for i := range rounds {
		b.call(time.Second, key(fmt.Sprint("r", i*7919%open)))
		stored.save(t, b.p, a, false)
		if n := len(stored.values); n > storedPerRun*open+storedSlack {
			t.Fatalf("%d deltas are kept for %d runs", n, open)
		}
	}
	if stored.runs > rounds*8/5 {
		t.Errorf("%d runs written for %d that changed", stored.runs, rounds)
	}
	t.Logf("%d bytes a checkpoint of one changed run of %d, which take %d", stored.bytes/rounds, open, whole)
}

// An evicted run does not come back, and one that is opened again with the same id is the new one.
func TestEvictedRunComesBack(t *testing.T) {
	b := newBench(t)
	stored := &chain{values: map[uint64][]byte{}}
	first := b.call(0, key("a"))
	b.call(time.Second, key("b"))
	a := b.p.actors["c:k1"]
	stored.save(t, b.p, a, false)
	b.call(2*time.Hour, key("b")) // closes a
	stored.save(t, b.p, a, false)
	b.call(4*time.Hour, key("b")) // evicts a
	stored.save(t, b.p, a, false)
	if got := content(t, stored.restored(t, newBench(t).p)); got[first.RunID.String()] != "" {
		t.Error("run a is there again")
	}
	late := b.call(time.Minute, key("a"))
	stored.save(t, b.p, a, false)
	got := stored.restored(t, newBench(t).p)
	for r := range got.runs.all {
		if r.RunID == first.RunID && (r.Segment != late.Segment || r.Calls != 1) {
			t.Errorf("run a has segment %d and %d calls", r.Segment, r.Calls)
		}
	}
	if late.RunID != first.RunID || got.total != a.total {
		t.Errorf("%d runs, want %d", got.total, a.total)
	}
}

// A run that is frozen between its calls goes on as one that is not.
func TestFrozenRunForgets(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	plain, frozen := newBench(t), newBench(t)
	for _, b := range []*bench{plain, frozen} {
		b.p.SetRunAttachment(func() Attachment { return &mark{} })
	}
	froze := 0
	for i := range 3000 {
		at, k, by := time.Duration(i)*7*time.Second, key(fmt.Sprint("r", random.IntN(9))), random.IntN(3)
		observed := func(c *schema.Call) {
			c.Observer, c.RequestID = fmt.Sprint("o", by), fmt.Sprint("q", i/2)
			if by == 2 {
				c.ObserverKind = schema.ObserverGate
			}
		}
		var ids [2]string
		for j, b := range []*bench{plain, frozen} {
			c := b.call(at, k, observed)
			ids[j] = fmt.Sprint(c.RunID, c.Duplicate, c.Attr(AttrObservationOf), c.LoggedLate)
			if r := b.run(c.RunID); r != nil {
				m, _ := r.Attached.(*mark)
				if m == nil {
					m = &mark{}
				}
				m.n++
				r.Attached = m
			}
		}
		if ids[0] != ids[1] {
			t.Fatalf("call %d: %s, frozen %s", i, ids[0], ids[1])
		}
		for r := range frozen.p.actors["c:k1"].runs.all {
			frozen.p.freezer.freeze(r)
			if r.frozen != "" {
				froze++
			}
		}
	}
	if want, got := content(t, plain.p.actors["c:k1"]), content(t, frozen.p.actors["c:k1"]); froze < 1000 || !reflect.DeepEqual(want, got) {
		t.Errorf("%d times frozen; the runs differ: %d and %d", froze, len(got), len(want))
	}
}

// Stored bytes that were truncated or changed are an error, never a crash.
func TestDeltaThatWasCutIsMalformed(t *testing.T) {
	b := newBench(t)
	for i := range 3 {
		b.call(time.Duration(i)*time.Second, key(fmt.Sprint("r", i)), trace(byte(i+1)))
	}
	a := b.p.actors["c:k1"]
	deltas, _, _ := b.p.EncodeChanges(a, 1)
	whole := deltas[0].Value
	for n := range whole {
		if _, _, err := newBench(t).p.Restore(whole[:n]); err == nil {
			t.Fatalf("%d of %d bytes are taken for an actor", n, len(whole))
		}
		_, _ = ReadDeltaHeader(whole[:n])
	}
	for n := 2; n < len(whole); n++ {
		changed := append([]byte(nil), whole...)
		changed[n] ^= 0xff
		_, _, _ = newBench(t).p.Restore(changed) // the result does not matter
	}
}
