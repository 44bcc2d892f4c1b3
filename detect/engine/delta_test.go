package engine

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// stateRecords returns the records of partition 0 of flyball.state as a compacted topic holds them, in their order.
func (l *log) stateRecords() (out []*kgo.Record) {
	l.t.Helper()
	l.each(wire.StateTopic, func(r *kgo.Record) {
		if r.Partition != 0 {
			return
		}
		for i, have := range out {
			if bytes.Equal(have.Key, r.Key) {
				out = append(out[:i], out[i+1:]...)
				break
			}
		}
		out = append(out, r)
	})
	return out
}

// stored returns the actors that a restart would read, encoded in one way, and the offset that it would read from.
func (l *log) stored() (actors map[string][]byte, offset int64) {
	l.t.Helper()
	r := newRestored(stitch.DefaultLimits(), newFloor(l.t).state)
	for _, rec := range l.stateRecords() {
		if err := r.add(rec.Key, rec.Value); err != nil {
			l.t.Fatal(err)
		}
	}
	return storedActors(l.t, r), r.offset
}

func storedActors(t *testing.T, r *restored) map[string][]byte {
	t.Helper()
	r.choose()
	out := map[string][]byte{}
	for key := range r.actors {
		a, _, err := r.newestActor(key)
		if err != nil {
			t.Fatal(err)
		}
		if a != nil {
			out[key] = stitch.EncodeActor(nil, a, 0)
		}
	}
	return out
}

// Owners are lost at any moment, without a last checkpoint: what the last one has stored is what an owner stores that was
// never disturbed.
func TestLostOwnersStoreAnotherState(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 9))
	run := func(disturbed bool) (map[string][]byte, int) {
		l := newLog(t)
		lost := 0
		quick := func(c *Config) { c.CheckpointEvery = time.Duration(random.IntN(40)) * time.Millisecond }
		e, stop := l.start(quick)
		for i := range int64(12) {
			l.block(i*40, i*40+40)
			if !disturbed || i == 11 {
				continue
			}
			l.rows(int(i)*40 + 1)
			time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
			e.release(context.Background(), nil, false) // as when the group has removed it
			_ = stop()
			lost++
			e, stop = l.start(quick)
		}
		for until := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if w := l.assigned(e); w.handled.Load() >= 12 {
				break
			}
			if time.Now().After(until) {
				t.Fatal("the calls are not applied within 20 s")
			}
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		actors, offset := l.stored()
		if offset != 12 {
			t.Errorf("a restart reads from %d", offset)
		}
		return actors, lost
	}
	want, _ := run(false)
	got, lost := run(true)
	if len(want) != 5 || len(got) != len(want) || lost < 10 {
		t.Fatalf("%d actors after %d owners, %d without a loss", len(got), lost, len(want))
	}
	for key := range want {
		if !bytes.Equal(got[key], want[key]) {
			t.Errorf("actor %s differs", key)
		}
	}
}

// storing applies calls to an actor of two runs and returns its deltas, one of all and one of each call.
func storing(t *testing.T, calls int, generation uint64) (deltas []stitch.Delta) {
	f := newFloor(t)
	for i := range calls {
		f.call(night.Add(time.Duration(i)*time.Second), func(c *schema.Call) { c.RoutingKey, c.RunKey = "g:x", fmt.Sprint("run-", i%2) })
		for _, a := range f.state.Dirty() {
			some, _, _ := f.state.EncodeChanges(a, generation)
			deltas = append(deltas, some...)
		}
		f.state.Saved(len(f.state.Dirty()))
	}
	return deltas
}

// An owner that was replaced and does not know it goes on writing under its own generation. What the new owner has
// stored counts, also when deltas of the old chain are gone, and when the old owner has come further.
func TestReplacedOwnersLateDeltasCount(t *testing.T) {
	before, after := storing(t, 9, 10), storing(t, 5, 20)
	base := newProgress(stitch.DefaultLimits())
	record := func(generation uint64, offset int64) *kgo.Record {
		return &kgo.Record{Key: partitionKey(generation), Value: encodeProgress(base, offset, generation)}
	}
	delta := func(generation uint64, d stitch.Delta) *kgo.Record {
		return &kgo.Record{Key: deltaKey(generation, d.Number, "g:x"), Value: d.Value}
	}
	read := func(records ...*kgo.Record) *restored {
		r := newRestored(stitch.DefaultLimits(), newFloor(t).state)
		for _, rec := range records {
			if err := r.add(rec.Key, rec.Value); err != nil {
				t.Fatal(err)
			}
		}
		return r
	}
	want := storedActors(t, read(delta(20, after[0]), delta(20, after[1])))["g:x"]
	owners := []*kgo.Record{record(10, 3), delta(10, before[0]), delta(10, before[1]), record(20, 3), delta(20, after[0]),
		delta(20, after[1]), {Key: deltaKey(10, 1, "g:x")}, {Key: deltaKey(10, 2, "g:x")}}
	late := []*kgo.Record{delta(10, before[2]), record(10, 9)}
	r := read(append(owners, late...)...)
	if got := storedActors(t, r)["g:x"]; !bytes.Equal(got, want) || r.offset != 3 {
		t.Errorf("the late delta counts; offset %d, want 3", r.offset)
	}
	// The new owner has stored nothing of the actor: the old chain is whole, and is gone on from.
	r = read(record(10, 3), delta(10, before[0]), delta(10, before[1]), record(20, 3), late[0], late[1])
	whole := storedActors(t, read(delta(10, before[0]), delta(10, before[1]), delta(10, before[2])))["g:x"]
	if got := storedActors(t, r)["g:x"]; !bytes.Equal(got, whole) || r.offset != 3 {
		t.Errorf("the whole chain does not count; offset %d, want 3", r.offset)
	}
	// The actor was forgotten by the new owner: the rest of a chain is no actor.
	r = read(record(20, 3), late[0])
	if got := storedActors(t, r); len(got) != 0 {
		t.Errorf("%d actors are there again", len(got))
	}
	// A new owner that found no record began at the start of the log; a record of the old one was written later.
	r = read(delta(20, after[0]), late[1])
	if r.choose(); r.offset != 0 {
		t.Errorf("a restart reads from %d", r.offset)
	}
}

// The topic stays bounded: a compacted flyball.state holds a few keys for each actor, however often it was stored and
// whoever has stored it.
func TestStateKeepsKeysOfEarlierOwners(t *testing.T) {
	l := newLog(t)
	for i := range int64(4) {
		_, stop := l.start()
		for n := range int64(6) {
			l.block(i*60+n*10, i*60+n*10+10)
			l.rows(int(i*60 + n*10 + 10))
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	generations := map[string]int{}
	for _, r := range l.stateRecords() {
		if kind, generation, _, _ := splitKey(r.Key); kind == "d" && r.Value != nil {
			generations[generation]++
		}
	}
	if len(generations) != 1 {
		t.Errorf("deltas of %d generations are kept: %v", len(generations), generations)
	}
}
