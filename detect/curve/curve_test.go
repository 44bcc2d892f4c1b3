package curve

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

const noon = int64(1795176000e9)

// table holds rows as the tables do: of the rows of a counter's segment, the one with the most calls.
type table struct {
	minutes  map[string]schema.Counters // by counter and segment
	bindings map[string]uint64
	hours    map[string]schema.HourCount
}

func newTable() *table {
	return &table{minutes: map[string]schema.Counters{}, bindings: map[string]uint64{}, hours: map[string]schema.HourCount{}}
}

func (x *table) write(n *Counts) {
	n.Write(func(m *schema.MinuteCount) {
		k := fmt.Sprint(m.Tenant, " ", m.Minute, "/", m.Segment)
		if have := x.minutes[k]; m.Calls() >= have.Calls() {
			x.minutes[k] = m.Counters
		}
	}, func(s *schema.StitchingCount) {
		k := fmt.Sprint(s.Tenant, " ", s.Hour, " ", s.Producer, " ", s.Format, " ", s.Rule, "/", s.Segment)
		x.bindings[k] = max(x.bindings[k], s.Calls)
	})
}

func (x *table) hour(h *schema.HourCount) {
	k := fmt.Sprint(h.Tenant, " ", h.AgentID, " ", h.Hour, " ", h.Actor, "/", h.Segment)
	if have := x.hours[k]; h.Calls() >= have.Calls() {
		x.hours[k] = *h
	}
}

// sums returns the counters without their segments.
func (x *table) sums() map[string]uint64 {
	out := map[string]uint64{}
	for k, n := range x.minutes {
		k, _, _ = strings.Cut(k, "/")
		for i, f := range fields(&n) {
			if *f > 0 {
				out[fmt.Sprint("minute ", k, " field ", i)] += *f
			}
		}
	}
	for k, n := range x.bindings {
		k, _, _ = strings.Cut(k, "/")
		out["binding "+k] += n
	}
	for k, h := range x.hours {
		k, _, _ = strings.Cut(k, "/")
		for i, f := range append(fields(&h.Counters), &h.Runs) {
			if *f > 0 {
				out[fmt.Sprint("hour ", k, " field ", i)] += *f
			}
		}
	}
	return out
}

// anyCall returns a call of one of some tenants, observers and minutes.
func anyCall(r *rand.Rand) schema.Call {
	c := schema.Call{Tenant: fmt.Sprint("t", r.IntN(3)), Observer: fmt.Sprint("o", r.IntN(3)), Format: "json",
		AgentID: fmt.Sprint("a", r.IntN(5)), RunRule: schema.RunRule(r.IntN(4)), Start: noon + r.Int64N(20)*15*60e9,
		Outcome: schema.Outcome(r.IntN(9)), Reversibility: schema.Reversibility(r.IntN(3)), BytesOut: r.Uint64N(1000),
		TokensIn: r.Uint32N(9), TokensOut: r.Uint32N(9), Duplicate: r.IntN(5) == 0, LoggedLate: r.IntN(9) == 0}
	if r.IntN(4) == 0 {
		c.ObserverKind, c.AskedOnly = schema.ObserverGate, r.IntN(2) == 0
	}
	return c
}

// stored is what flyball.state has of counters.
type stored struct {
	deltas map[uint64][]byte
	last   uint64
}

func (s *stored) save(n *Counts) {
	number, delta, from, to := n.EncodeChanges()
	if delta == nil {
		return
	}
	s.deltas[number], s.last = delta, number
	for ; from < to; from++ {
		delete(s.deltas, from)
	}
}

func (s *stored) restored(t *testing.T) *Counts {
	t.Helper()
	if s.last == 0 {
		return newCounts(1, -1, 6, 5)
	}
	first, err := First(s.deltas[s.last])
	if err != nil {
		t.Fatal(err)
	}
	var values [][]byte
	for i := first; i <= s.last; i++ {
		values = append(values, s.deltas[i])
	}
	n, err := restore(newCounts(1, -1, 6, 5), values...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The process is killed at any moment, and reads any part of what it had read again. With the rows of all processes, each call
// is counted once, although counters are given up all the time.
func TestReplayCountsACallTwice(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 7))
		var records [][]schema.Call
		for range 300 {
			var calls []schema.Call
			for range r.IntN(12) {
				calls = append(calls, anyCall(r))
			}
			records = append(records, calls)
		}
		got, s := newTable(), &stored{deltas: map[uint64][]byte{}}
		killed, at, base := 0, 0, 0
		n := s.restored(t)
		for ; at < len(records); at++ {
			for i := range records[at] {
				n.Add(&records[at][i], int64(at))
			}
			n.EndRecord(int64(at))
			switch r.IntN(8) {
			case 0:
				got.write(n)
			case 1: // a checkpoint: rows, then counters; the rest may not be written
				got.write(n)
				s.save(n)
				base = at + 1 - r.IntN(min(at+1, 9))
			case 2:
				killed++
				n, s = s.restored(t), &stored{deltas: s.deltas, last: s.last}
				n.chain.next, n.chain.first = s.last+1, 0 // the test goes on under the same keys
				n.minutes.stored, n.bindings.stored = 0, 0
				n.chain.versions = 1 << 30 // a new owner stores all
				at = base - 1
			}
		}
		got.write(n)
		want, whole := newTable(), New(1, -1)
		for i, calls := range records {
			for j := range calls {
				whole.Add(&calls[j], int64(i))
			}
			whole.EndRecord(int64(i))
		}
		want.write(whole)
		if killed < 10 || len(got.minutes) < 2*len(want.minutes) {
			t.Fatalf("killed %d times, %d segments of %d minutes: the test shows nothing", killed, len(got.minutes), len(want.minutes))
		}
		if !reflect.DeepEqual(got.sums(), want.sums()) {
			t.Fatalf("seed %d: counts differ", seed)
		}
	}
}

// A record with one counter again and again, between many others, gives one segment of it.
func TestCounterOfOneRecordHasTwoSegmentsOfOneOffset(t *testing.T) {
	n, got := newCounts(1, -1, 4, 4), newTable()
	var h Hours
	for i := range 3000 {
		c := schema.Call{Tenant: "t", Start: noon, AgentID: "often"}
		if i%2 == 1 {
			c.Start, c.AgentID, c.Observer = noon+int64(i)*60e9, fmt.Sprint("a", i), fmt.Sprint("o", i)
		}
		n.Add(&c, 7)
		h.Add(&c, 7, false, strings.Clone)
	}
	n.EndRecord(7)
	h.EndRecord(noon, 1, 1, got.hour)
	got.write(n)
	h.Write(1, 1, got.hour)
	sum := map[string]uint64{}
	for k, v := range got.sums() {
		kind, _, _ := strings.Cut(k, " ")
		sum[kind] += v
	}
	if sum["binding"] != 3000 || sum["minute"] != 6000 || sum["hour"] != 6000 { // outcome and reversibility
		t.Errorf("%v", sum)
	}
	if len(n.minutes.index) != 4 || len(n.bindings.index) != 4 || len(h.list) > maxHours || cap(h.list) > 2*maxHours ||
		cap(n.minutes.entries) > 100 {
		t.Errorf("%d minutes, %d bindings, %d hours are kept", len(n.minutes.index), len(n.bindings.index), len(h.list))
	}
}

// A hundred thousand minutes, tenants and producers are counted in the memory of a few thousand.
func TestFloodOfCountersIsKept(t *testing.T) {
	n, s, got := New(1, -1), &stored{deltas: map[uint64][]byte{}}, newTable()
	bytes := 0
	for i := range int64(100_000) {
		c := schema.Call{Tenant: fmt.Sprint("tenant-", i), Observer: fmt.Sprint("observer-", i), Format: "json", Start: noon + i*60e9}
		n.Add(&c, i)
		n.EndRecord(i)
		if n.Waiting() >= 4096 {
			got.write(n)
		}
		if i%1000 == 999 {
			got.write(n)
			s.save(n)
			bytes = 0
			for _, d := range s.deltas {
				bytes += len(d)
			}
			if bytes > 2<<20 {
				t.Fatalf("%d bytes of state", bytes)
			}
		}
		if n.Waiting() > 8192 || len(n.minutes.entries) > maxMinutes+1 || len(n.bindings.entries) > maxBindings+1 {
			t.Fatalf("%d minutes and %d bindings are kept, %d wait", len(n.minutes.entries), len(n.bindings.entries), n.Waiting())
		}
	}
	got.write(n)
	if len(got.minutes) != 100_000 || len(got.bindings) != 100_000 {
		t.Errorf("%d minutes and %d bindings are written", len(got.minutes), len(got.bindings))
	}
	t.Logf("%d bytes of state", bytes)
}

// What a checkpoint writes is in proportion to the counters that have changed, and what is kept to all of them.
func TestCheckpointWritesCountersThatHaveNotChanged(t *testing.T) {
	n, s := New(1, -1), &stored{deltas: map[uint64][]byte{}}
	for i := range int64(2000) {
		n.Add(&schema.Call{Tenant: "t", Observer: fmt.Sprint("o", i), Start: noon + i*60e9}, i)
		n.EndRecord(i)
	}
	s.save(n)
	written, kept := 0, 0
	for i := range int64(20_000) {
		n.Add(&schema.Call{Tenant: "t", Observer: "o1999", Start: noon + 1999*60e9}, 2000+i)
		n.EndRecord(2000 + i)
		s.save(n)
		written += len(s.deltas[s.last])
		kept = max(kept, len(s.deltas))
	}
	if written > 20_000*100 || kept > storedPerCounter*4000+storedSlack {
		t.Errorf("%d bytes a checkpoint; %d deltas are kept", written/20_000, kept)
	}
	if _, delta, _, _ := n.EncodeChanges(); delta != nil {
		t.Error("a delta without a change is written")
	}
}

// Hours of an actor that come and go, in any order and through restarts, are counted once.
func TestHourIsCountedTwiceAfterARestart(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 9))
		got, want := newTable(), newTable()
		var h, saved Hours
		savedAt := int64(0)
		var calls []schema.Call
		for range 1000 {
			c := anyCall(r)
			c.Duplicate, c.LoggedLate, c.ObserverKind = false, false, 0
			calls = append(calls, c)
		}
		watermark := func(i int64) int64 { return noon + i*int64(5*time.Hour)/1000 }
		for i := int64(0); i < 1000; i++ {
			if h.Add(&calls[i], i/3, i%4 == 0, strings.Clone) || i%3 == 2 {
				if i%3 == 2 {
					h.EndRecord(watermark(i), 5, 1, got.hour)
				}
			}
			if i%3 != 2 {
				continue
			}
			switch r.IntN(6) {
			case 0:
				h.Write(5, 1, got.hour)
			case 1:
				h.Write(5, 1, got.hour)
				saved, savedAt = recoded(t, &h), i+1
			case 2:
				h, i = recoded(t, &saved), savedAt-1
			}
		}
		h.Write(5, 1, got.hour)
		for i := range calls {
			var one Hours
			one.Add(&calls[i], int64(i), i%4 == 0, strings.Clone)
			one.Write(5, 1, want.hour)
		}
		if !reflect.DeepEqual(got.sums(), want.sums()) {
			t.Fatalf("seed %d: counts differ", seed)
		}
	}
}

// recoded returns hours as a restart reads them.
func recoded(t *testing.T, h *Hours) (out Hours) {
	t.Helper()
	w := wire.NewWriter(nil, wire.KindState, 1)
	h.Code(w, 0, 1, nil)
	c, err := wire.NewReader(w.Bytes(), wire.KindState, 1)
	if err != nil {
		t.Fatal(err)
	}
	out.Code(c, 0, 1, strings.Clone)
	if c.Err != nil || c.Rest() != 0 {
		t.Fatal(c.Err)
	}
	return out
}

// An interval that the columns of the tables cannot have is counted as the last or the first one that they can have.
func TestTwoIntervalsAreOneRow(t *testing.T) {
	for _, interval := range []time.Duration{time.Minute, time.Hour} {
		for _, start := range []int64{-1 << 62, -1, 0, 59e9, noon, lastHour - 1, lastHour + 1, 1<<32*1e9 + 7, 1<<63 - 1} {
			got := startOf(start, interval)
			if got%int64(interval) != 0 || got < 0 || got > lastHour || startOf(got, interval) != got {
				t.Errorf("%d is in the interval %d", start, got)
			}
		}
	}
}

// Stored bytes that were cut or changed are an error or other counts, never a crash.
func TestDeltaThatWasCutIsMalformed(t *testing.T) {
	n, r := New(1, -1), rand.New(rand.NewPCG(1, 1))
	for range 5 {
		c := anyCall(r)
		n.Add(&c, 1)
	}
	n.EndRecord(1)
	_, delta, _, _ := n.EncodeChanges()
	for i := range delta {
		if _, err := Restore(1, delta[:i]); err == nil {
			t.Fatalf("%d of %d bytes are taken for counters", i, len(delta))
		}
		changed := append([]byte(nil), delta...)
		changed[i] ^= 0xff
		_, _ = Restore(1, changed)
		_, _ = First(changed)
	}
}

// BenchmarkCount measures what counting adds to a call: 112 agents in turn.
func BenchmarkCount(b *testing.B) {
	n := New(1, -1)
	hours := make([]Hours, 112)
	calls := make([]schema.Call, 112)
	for i := range calls {
		calls[i] = schema.Call{Tenant: "default", Observer: fmt.Sprint("edge-", i%3), Format: "envoy_json/1", AgentID: fmt.Sprint("shop/a", i),
			RunRule: schema.RunRule(i % 2)}
	}
	ignore := func(*schema.HourCount) {}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c := &calls[i%112]
		c.Start = noon + int64(i)*1e6
		n.Add(c, int64(i/40))
		hours[i%112].Add(c, int64(i/40), false, strings.Clone)
		if i%40 == 39 {
			n.EndRecord(int64(i / 40))
		}
		if i%8000 == 7999 {
			n.Write(func(*schema.MinuteCount) {}, func(*schema.StitchingCount) {})
			for k := range hours {
				hours[k].EndRecord(c.Start, 1, 1, ignore)
				hours[k].Write(1, 1, ignore)
			}
		}
	}
}
