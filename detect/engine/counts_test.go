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
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// someRecords returns records of flyball.calls: calls of a few agents, some with a row of the check that counts later, and marks.
func someRecords(n int) []*kgo.Record {
	return recordsOf(n, func(int, int) bool { return false })
}

// recordsOf is someRecords without the calls of agents that are quiet in a record.
func recordsOf(n int, quiet func(record, agent int) bool) (out []*kgo.Record) {
	random, pos := rand.New(rand.NewPCG(4, 4)), int64(0)
	var enc wire.CallsEncoder
	for i := range n {
		var calls []*schema.Call
		at := night.UnixNano() + int64(i)*25e9
		for range random.IntN(6) {
			agent := random.IntN(7)
			c := &schema.Call{Source: schema.Source{Topic: "gw", TopicID: schema.TopicID{7}}, Pos: schema.Position{Offset: pos}, Tenant: "default",
				RoutingKey: fmt.Sprint("g:a", agent), AgentID: "a", RunKey: fmt.Sprint("r", i/20), Start: at, Method: "GET",
				ObserverKind: schema.ObserverGateway, Path: fmt.Sprint("/", pos), RequestID: fmt.Sprint(pos)}
			if random.IntN(4) == 0 {
				c.ObserverKind = schema.ObserverGate
			}
			if pos++; !quiet(i, agent) {
				calls = append(calls, c)
			}
		}
		value := wire.EncodeMarks(nil, &wire.Marks{At: at})
		if len(calls) > 0 {
			value = enc.Encode(nil, calls)
		}
		out = append(out, &kgo.Record{Topic: wire.CallsTopic, Offset: int64(i), Value: value})
	}
	return out
}

func (f *floor) applyAll(records []*kgo.Record) {
	f.t.Helper()
	for _, r := range records {
		if err := f.applyRecord(context.Background(), r); err != nil {
			f.t.Fatal(err)
		}
	}
}

// content returns the counters and the actors of a worker that has stored nothing. All states are written before.
func (f *floor) content() map[string][]byte {
	f.journal.writeStates(context.Background())
	_, counts, _, _ := f.journal.counts.EncodeChanges()
	out := map[string][]byte{"": counts}
	for _, a := range f.state.Dirty() {
		out[a.Key] = stitch.EncodeActor(nil, a, 0)
	}
	return out
}

// An owner is killed after any of the records that it writes to flyball.state, also between those of one checkpoint: its successor
// counts every call once, and its actors are the same.
func TestKilledWithinACheckpointCountsOtherCalls(t *testing.T) {
	ctx, records := context.Background(), someRecords(120)
	undisturbed := newFloor(t)
	undisturbed.applyAll(records)
	want := undisturbed.content()

	f, random := newFloor(t), rand.New(rand.NewPCG(5, 5))
	f.checkpoint.generation = 1
	for _, r := range records[:110] {
		f.applyAll([]*kgo.Record{r})
		if dirty := len(f.state.Dirty()); random.IntN(3) == 0 && dirty > 0 {
			if err := f.checkpoint.save(ctx, 1+random.IntN(dirty), f.next); err != nil {
				t.Fatal(err)
			}
		}
	}
	killed := 0
	for n, last := range f.tape.records {
		if last.Topic != wire.StateTopic {
			continue
		}
		killed++
		g := newFloor(t)
		r := newRestored(f.cfg.Limits, g.state)
		for _, rec := range f.tape.records[:n+1] {
			if rec.Topic == wire.StateTopic {
				if err := r.add(rec.Key, rec.Value); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := g.takeOver(r, uint64(n)); err != nil {
			t.Fatal(err)
		}
		if err := g.writeFirst(ctx, r, kafka.LogState{}); err != nil {
			t.Fatal(err)
		}
		g.applyAll(records)
		got := g.content()
		if !bytes.Equal(got[""], want[""]) {
			t.Fatalf("killed after record %d, %q: the counts differ", n, last.Key)
		}
		for key, actor := range got {
			if !bytes.Equal(actor, want[key]) {
				t.Fatalf("killed after record %d, %q: actor %s differs", n, last.Key, key)
			}
		}
	}
	if killed < 100 || len(want) < 6 {
		t.Fatalf("killed after %d records, %d actors: the test shows nothing", killed, len(want))
	}
}

// Counters that are given up faster than states are written do not gather without a bound.
func TestFloodOfMinutesGathersRows(t *testing.T) {
	f := newFloor(t, func(c *Config) { c.SnapshotEvery = time.Hour })
	var enc wire.CallsEncoder
	pos := int64(0)
	for i := range int64(100) {
		var calls []*schema.Call
		for range 1000 {
			calls = append(calls, &schema.Call{Source: schema.Source{Topic: "gw", TopicID: schema.TopicID{7}}, Pos: schema.Position{Offset: pos},
				Tenant: "default", RoutingKey: "g:a", AgentID: fmt.Sprint("agent-", pos%50), RunKey: "r", Observer: fmt.Sprint("o", pos),
				Start: night.UnixNano() + pos*60e9})
			pos++
		}
		f.applyAll([]*kgo.Record{{Topic: wire.CallsTopic, Offset: i, Value: enc.Encode(nil, calls)}})
		if n := f.journal.counts.Waiting() + f.state.Hours().Waiting() + f.journal.rows.States(); n > 2*maxStates {
			t.Fatalf("%d rows wait", n)
		}
	}
	rows := map[string]int{}
	for _, r := range f.tape.records {
		if r.Topic != wire.JournalTopic {
			continue
		}
		if len(r.Value) > maxJournalBytes {
			t.Errorf("a record of %d bytes", len(r.Value))
		}
		j, err := wire.DecodeJournal(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range j.Sections {
			rows[s.Table] += s.Rows
		}
	}
	if rows["minutes"] < 90_000 || rows["stitching_v5"] < 90_000 || rows["hours"] < 80_000 {
		t.Errorf("rows %v", rows)
	}
}

// replacement is a partition that goes from owner to owner.
type replacement struct {
	*testing.T
	random *rand.Rand
}

// takeOver returns the owner that takes the partition over, with what all owners before it have stored.
func (r *replacement) takeOver(from *floor, generation uint64) *floor {
	r.Helper()
	g := newFloor(r.T, func(c *Config) { c.CheckpointEvery = time.Millisecond })
	*g.tape = *from.tape
	stored := newRestored(g.cfg.Limits, g.state)
	for _, rec := range g.tape.records {
		if rec.Topic == wire.StateTopic {
			if err := stored.add(rec.Key, rec.Value); err != nil {
				r.Fatal(err)
			}
		}
	}
	if err := g.takeOver(stored, generation); err != nil {
		r.Fatal(err)
	}
	if err := g.writeFirst(r.Context(), stored, kafka.LogState{End: 100}); err != nil {
		r.Fatal(err)
	}
	return g
}

func (r *replacement) save(w *floor, n int) {
	r.Helper()
	if err := w.checkpoint.save(r.Context(), n, w.next); err != nil {
		r.Fatal(err)
	}
}

// some applies records, and saves some of the actors now and then.
func (r *replacement) some(w *floor, records []*kgo.Record) {
	r.Helper()
	for _, rec := range records {
		w.applyAll([]*kgo.Record{rec})
		if dirty := len(w.state.Dirty()); r.random.IntN(3) == 0 && dirty > 0 {
			r.save(w, 1+r.random.IntN(dirty))
		}
	}
}

// An owner that was replaced and does not know it stores a last checkpoint after its successor's claim. The one after that counts every
// call once: an actor of the late checkpoint includes calls that the successor's counters did not.
func TestReplacedOwnersLateCheckpointLosesCounts(t *testing.T) {
	records := someRecords(120)
	undisturbed := newFloor(t)
	undisturbed.applyAll(records)
	want := undisturbed.content()
	for seed := range uint64(40) {
		r := &replacement{t, rand.New(rand.NewPCG(seed, 5))}
		f := newFloor(t)
		f.checkpoint.generation = 1
		r.some(f, records[:50])
		g := r.takeOver(f, 2)
		f.tape.records = nil
		f.applyAll(records[50 : 51+r.random.IntN(40)])
		r.save(f, len(f.state.Dirty()))
		g.tape.records = append(g.tape.records, f.tape.records...)
		r.some(g, records[:50+r.random.IntN(40)])
		h := r.takeOver(g, 3)
		h.applyAll(records)
		if got := h.content(); !bytes.Equal(got[""], want[""]) {
			t.Fatalf("seed %d: the counts differ", seed)
		}
	}
}

// The same after the successor has counted all that was there at its claim. It has written anew only the actors that have called since: of
// a quiet one the replaced owner's chain is still the one that counts, and includes calls that the successor's counters do not.
func TestLateCheckpointAfterTheSuccessorsSecondLosesCounts(t *testing.T) {
	records := recordsOf(200, func(record, agent int) bool { return record >= 40 && record < 125 && agent < 3 })
	undisturbed := newFloor(t)
	undisturbed.applyAll(records)
	want := undisturbed.content()
	for seed := range uint64(60) {
		r := &replacement{t, rand.New(rand.NewPCG(seed, 6))}
		f := newFloor(t)
		f.checkpoint.generation = 1
		r.some(f, records[:60])
		r.save(f, len(f.state.Dirty()))
		g := r.takeOver(f, 2)
		f.tape.records = nil
		r.some(g, records[:110+r.random.IntN(20)])
		f.applyAll(records[60 : 130+r.random.IntN(70)])
		r.save(f, len(f.state.Dirty()))
		g.tape.records = append(g.tape.records, f.tape.records...)
		h := r.takeOver(g, 3)
		h.applyAll(records)
		if got := h.content(); !bytes.Equal(got[""], want[""]) {
			t.Fatalf("seed %d: the counts differ", seed)
		}
	}
}
