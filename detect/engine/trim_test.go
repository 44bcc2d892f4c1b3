package engine

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

// trimmedLog is a partition of flyball.state whose owner deletes its beginning.
type trimmedLog struct {
	t     *testing.T
	start int64 // offset of the first record that is left
	most  int64 // bytes that were left at one time
	need  int64 // bytes that a restart needed at one time
}

// owner returns a worker that has taken over what is in a tape, which it goes on writing.
func (l *trimmedLog) owner(before *floor) *floor {
	l.t.Helper()
	f := newFloor(l.t, func(c *Config) { c.CheckpointEvery = 2 * time.Second })
	r := newRestored(f.cfg.Limits, f.state)
	if before != nil {
		*f.tape, f.offset = *before.tape, before.offset
		r = l.read(f, l.start)
	}
	if err := f.takeOver(r, uint64(f.claim())); err != nil {
		l.t.Fatal(err)
	}
	f.checkpoint.earlier.countsUntil = -1 // its calls are not counted
	f.checkpoint.trim.limits = trimLimits{slack: 20_000, atLeast: 2_000, eachRound: 8_000, after: 5 * time.Second}
	f.checkpoint.trim.remove = func(_ context.Context, before int64) error {
		l.start = max(l.start, before)
		return nil
	}
	return f
}

// claim writes a claim.
func (f *floor) claim() int64 {
	rec := &kgo.Record{Topic: wire.StateTopic, Key: []byte(claimKey)}
	f.tape.ProduceSync(context.Background(), rec)
	return rec.Offset
}

// read reads the records from an offset as a restart does.
func (l *trimmedLog) read(f *floor, from int64) *restored {
	l.t.Helper()
	r := newRestored(f.cfg.Limits, f.partition())
	for _, rec := range f.tape.records {
		if rec.Offset >= from && rec.Topic == wire.StateTopic {
			if err := r.add(rec.Key, rec.Value); err != nil {
				l.t.Fatal(err)
			}
		}
	}
	return r
}

// same checks that a restart finds in what is left what it would find in everything that was written.
func (l *trimmedLog) same(f *floor) {
	l.t.Helper()
	left, all := l.read(f, l.start), l.read(f, 0)
	l.most, l.need = max(l.most, left.bytes), max(l.need, f.state.StoredBytes())
	shown := testutil.ToFloat64(f.checkpoint.logBytes)
	if f.checkpoint.trim.remove != nil && math.Abs(shown-float64(left.bytes)) > 100 { // claims are not counted
		l.t.Fatalf("flyball_detect_state_log_bytes is %.0f, %d bytes are left", shown, left.bytes)
	}
	got, want := storedActors(l.t, left), storedActors(l.t, all)
	if len(got) != len(want) || left.offset != all.offset {
		l.t.Fatalf("from offset %d: %d actors, read again from %d; before %d, %d", l.start, len(got), left.offset, len(want), all.offset)
	}
	for key := range want {
		if !bytes.Equal(got[key], want[key]) {
			l.t.Fatalf("from offset %d: actor %s differs", l.start, key)
		}
	}
	gotCounts, _, err := left.newestCounts(0)
	if err != nil {
		l.t.Fatal(err)
	}
	wantCounts, _, err := all.newestCounts(0)
	if err != nil || (gotCounts == nil) != (wantCounts == nil) || gotCounts != nil && gotCounts.Included() != wantCounts.Included() {
		l.t.Fatalf("from offset %d: counters differ: %v", l.start, err)
	}
}

// pass makes calls of busy and of quiet actors for some seconds, and writes what is due after each.
func (l *trimmedLog) pass(f *floor, random *rand.Rand, at time.Time, seconds int) time.Time {
	l.t.Helper()
	for range seconds {
		at = at.Add(time.Second)
		for range 1 + random.IntN(4) {
			actor, run := random.IntN(4), random.IntN(30)
			if random.IntN(20) == 0 {
				actor, run = 4+random.IntN(60), 0 // once in a long time
			}
			f.call(at, func(c *schema.Call) {
				c.RoutingKey, c.RunKey = fmt.Sprint("g:", actor), fmt.Sprint("run-", actor, "-", run)
				c.Route = fmt.Sprint("/orders/", random.IntN(9))
			})
			f.next = f.offset
		}
		if err := f.checkpoint.saveIfDue(context.Background(), at, f.offset); err != nil {
			l.t.Fatal(err)
		}
		if random.IntN(20) == 0 {
			l.same(f)
		}
	}
	return at
}

// A restart finds the same state after the beginning of the log was deleted, at any time, also what earlier owners stored and nobody
// has called since.
func TestStateIsLostWithTheBeginningOfItsLog(t *testing.T) {
	for seed := range uint64(2) {
		random := rand.New(rand.NewPCG(seed, 3))
		l := &trimmedLog{t: t}
		f, at := l.owner(nil), night
		for owner := range 3 {
			before := l.start
			at = l.pass(f, random, at, 300)
			l.same(f)
			if l.start == before {
				t.Errorf("seed %d: owner %d has deleted nothing of %d records", seed, owner, len(f.tape.records))
			}
			f = l.owner(f)
		}
		if l.most > 3*l.need+40_000 {
			t.Errorf("seed %d: %d bytes were left at one time, a restart needed %d", seed, l.most, l.need)
		}
	}
}

// A process that was replaced and does not know it deletes nothing of what its successor has written.
func TestReplacedOwnerDeletesTheStateOfItsSuccessor(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 3))
	l := &trimmedLog{t: t}
	f, at := l.owner(nil), night
	at = l.pass(f, random, at, 300)
	before := l.start
	f.claim() // of its successor
	l.pass(f, random, at, 3)
	if before == 0 || l.start > before {
		t.Errorf("it has deleted the records up to %d, %d before", l.start, before)
	}
	before = l.start
	l.pass(f, random, at.Add(3*time.Second), 300)
	if l.start != before {
		t.Errorf("it has deleted the records up to %d, %d before", l.start, before)
	}
}

// A broker that compacts the topic itself is asked once.
func TestBrokerThatDeletesNothingIsAskedForEver(t *testing.T) {
	l := &trimmedLog{t: t}
	f := l.owner(nil)
	asked := 0
	f.checkpoint.trim.remove = func(context.Context, int64) error {
		asked++
		return fmt.Errorf("%w: policy", errTrimRefused)
	}
	l.pass(f, rand.New(rand.NewPCG(1, 3)), night, 300)
	if asked != 1 {
		t.Errorf("it was asked %d times", asked)
	}
	if _, next := f.state.StoredDeltas("g:0"); next == 0 {
		t.Error("nothing was stored")
	}
}
