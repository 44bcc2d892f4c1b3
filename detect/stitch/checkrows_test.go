package stitch

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/wire"
)

// asks is a row of the check; denied is one of a request that the check denied.
func asks(c *schema.Call) {
	c.ObserverKind, c.Observer, c.Format, c.Source.Topic = schema.ObserverGate, "flyball", "check/1", "flyball.check/p"
}

func denied(c *schema.Call) {
	c.Outcome, c.DeniedBy, c.Status = schema.OutcomeDenied, "flyball", 403
}

func irreversible(c *schema.Call) {
	c.Reversibility, c.Effect = schema.Irreversible, schema.EffectDelete
}

// rows are the stored rows by record_id: a row that is written again replaces its first form.
type rows map[string]schema.Call

func (m rows) add(c *schema.Call) { m[recordID(c)] = *c }

func (m rows) counted() (n uint64) {
	for _, c := range m {
		if c.Counted() {
			n++
		}
	}
	return n
}

// clock moves the log clock and stores the rows that count from then on.
func (b *bench) clock(at time.Duration, into rows) (again int) {
	b.t.Helper()
	b.p.AdvanceLogClock(t0.Add(at).UnixNano())
	if err := b.p.EachAskedOnly(b.offset, func(_ *Run, c *schema.Call) {
		into.add(c)
		again++
	}); err != nil {
		b.t.Fatal(err)
	}
	b.offset++
	return again
}

// The check, a gateway, a sidecar and a service record one call, in any order: it counts once.
func TestCallOfFourObserversCountsTwice(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		b, stored := newBench(t), rows{}
		var first *schema.Call
		for n := range 5 {
			at := time.Duration(n) * time.Second
			seen := []option{asks, seenBy(schema.ObserverGateway, ""), seenBy(schema.ObserverSidecar, ""), seenBy(schema.ObserverServer, "orders")}
			r.Shuffle(len(seen), func(i, j int) { seen[i], seen[j] = seen[j], seen[i] })
			for _, by := range seen {
				first = b.call(at, key("r"), request(fmt.Sprint("q", n)), path(fmt.Sprint("/orders/", n%2)), irreversible, by)
				stored.add(first)
			}
		}
		b.clock(time.Hour, stored)
		if run := b.run(first.RunID); run.Calls != 5 || run.Irreversible != 5 || stored.counted() != 5 || len(stored) != 20 {
			t.Fatalf("seed %d: the run has %d calls, %d irreversible; %d of %d rows count; want 5", seed, run.Calls, run.Irreversible,
				stored.counted(), len(stored))
		}
	}
}

// Nobody logs a call that the check allowed: it counts after a minute of the log clock, once.
func TestCallThatNobodyLoggedIsNotCounted(t *testing.T) {
	b, stored := newBench(t), rows{}
	asked := b.call(0, key("r"), request("q1"), asks, irreversible)
	stored.add(asked)
	refused := b.call(time.Second, key("r"), request("q2"), asks, denied)
	stored.add(refused)
	run := b.run(asked.RunID)
	if b.clock(60*time.Second, stored); run.Calls != 0 || stored.counted() != 0 {
		t.Errorf("after a minute: %d calls, %d rows", run.Calls, stored.counted())
	}
	if again := b.clock(62*time.Second, stored); again != 2 || run.Calls != 2 || run.Irreversible != 1 || run.Denied != 1 || len(stored) != 2 {
		t.Errorf("later: %d rows again, %d calls, %d irreversible, %d denied, %d rows", again, run.Calls, run.Irreversible, run.Denied,
			len(stored))
	}
	row := stored[recordID(asked)]
	if row.RunID != asked.RunID || row.Segment != asked.Segment || row.CallsOffset != asked.CallsOffset || row.RunRule != asked.RunRule ||
		row.RunConfidence != asked.RunConfidence || row.Start != asked.Start || row.RequestID != "q1" || !row.Counted() {
		t.Errorf("the row that is written again differs:\n%+v\n%+v", row, *asked)
	}
	if b.clock(time.Hour, stored); run.Calls != 2 {
		t.Errorf("an hour later: %d calls", run.Calls)
	}
}

// A line that comes after its call has counted is a further observation. It adds its outcome and
// its resources to the run, and the rows of others who logged the call are observations of the same row.
func TestLateLineCountsAgain(t *testing.T) {
	b, stored := newBench(t), rows{}
	asked := b.call(0, key("r"), request("q1"), asks, irreversible)
	stored.add(asked)
	b.clock(2*time.Minute, stored)
	failed := func(c *schema.Call) {
		c.Status, c.Outcome, c.BytesOut = 500, schema.OutcomeServerError, 7
		c.Resources = []schema.Resource{{Type: "order", ID: "7"}}
	}
	line := b.call(time.Second, key("r"), request("q1"), irreversible, failed, seenBy(schema.ObserverGateway, ""))
	mesh := b.call(time.Second, key("r"), request("q1"), irreversible, failed, seenBy(schema.ObserverSidecar, ""))
	stored.add(line)
	stored.add(mesh)
	if !line.LoggedLate || line.Duplicate || !mesh.Duplicate {
		t.Errorf("late %v, duplicate %v; the sidecar's row: duplicate %v", line.LoggedLate, line.Duplicate, mesh.Duplicate)
	}
	for _, c := range []*schema.Call{line, mesh} {
		if len(c.Attrs) != 1 || c.Attrs[0] != (schema.Attr{Key: AttrObservationOf, Value: recordID(asked)}) {
			t.Errorf("attributes %v, want those of an observation of %s", c.Attrs, recordID(asked))
		}
	}
	s := b.run(asked.RunID).Snapshot()
	if s.Calls != 1 || s.Irreversible != 1 || s.Errors != 1 || s.BytesOut != 7 || s.DistinctResources != 1 || stored.counted() != 1 {
		t.Errorf("%d rows count, the run: %+v", stored.counted(), s)
	}
	// A second call of the same request id is another call.
	if again := b.call(2*time.Second, key("r"), request("q1"), irreversible, seenBy(schema.ObserverGateway, "")); !again.Counted() {
		t.Error("another call is taken for the late one")
	}
}

// In doubt both count: rows of the check and lines that differ in path, host, tool or request id
// are two calls. A field that only one of them has does not matter.
func TestLineHidesAnotherRequest(t *testing.T) {
	for name, v := range map[string]struct {
		asked, line option
		want        uint64
	}{
		"path":                {path("/a"), path("/b"), 2},
		"host":                {host("a.example"), host("b.example"), 2},
		"tool":                {tool("read"), tool("delete"), 2},
		"arguments":           {args(1), args(2), 2},
		"request id":          {request("q1"), request("q2"), 2},
		"minute":              {func(*schema.Call) {}, func(c *schema.Call) { c.Start += int64(61 * time.Second) }, 2},
		"port":                {host("a.example:8443"), host("a.example"), 1},
		"host of one only":    {host("a.example"), host(""), 1},
		"tool of one only":    {tool("read"), tool(""), 1},
		"id of one only":      {request("q1"), request(""), 1},
		"status":              {status(0), status(200), 1},
		"denied by the API":   {status(0), denied, 1},
		"refused, and let go": {denied, status(200), 1},
	} {
		for _, order := range [][2]bool{{true, false}, {false, true}} {
			b, stored := newBench(t), rows{}
			var last *schema.Call
			for _, asked := range order {
				if asked {
					last = b.call(0, key("r"), v.asked, asks)
				} else {
					last = b.call(0, key("r"), v.line)
				}
				stored.add(last)
			}
			b.clock(2*time.Minute, stored)
			if run := b.run(last.RunID); run.Calls != v.want || stored.counted() != v.want {
				t.Errorf("%s, the check first %v: %d calls, %d rows count, want %d", name, order[0], run.Calls, stored.counted(), v.want)
			}
		}
	}
}

// What the check recorded before a restart is known after it, and counts once. State of the version
// before has no such rows.
func TestRestartForgetsWhatWasAsked(t *testing.T) {
	b, stored := newBench(t), rows{}
	for i := range 3 {
		stored.add(b.call(time.Duration(i)*time.Second, key("r"), request(fmt.Sprint("q", i)), asks))
	}
	b.clock(61*time.Second+500*time.Millisecond, stored) // the first counts
	entry := EncodeActor(nil, b.p.actors["c:k1"], 1)
	again := newBench(t)
	a, _, err := again.p.Restore(entry)
	if err != nil {
		t.Fatal(err)
	}
	again.p.Adopt(a)
	again.offset, again.p.checkRows.logSecond = b.offset, 0
	stored.add(again.call(0, key("r"), request("q0"), seenBy(schema.ObserverGateway, "")))
	last := again.call(0, key("r"), request("q1"), seenBy(schema.ObserverGateway, ""))
	stored.add(last)
	if n := again.clock(time.Hour, stored); n != 1 {
		t.Errorf("%d rows are written again, want 1", n)
	}
	if run := again.run(last.RunID); run.Calls != 3 || stored.counted() != 3 || len(stored) != 5 {
		t.Errorf("%d calls, %d of %d rows count", run.Calls, stored.counted(), len(stored))
	}
	w, generation := wire.NewWriter(nil, wire.KindState, 9), uint64(1)
	codeActor(w, b.p.actors["c:k1"], &generation, nil, nil)
	if a, _, err := newBench(t).p.Restore(w.Bytes()); err != nil || a.total != 1 {
		t.Errorf("an entry of version 9: %+v %v", a, err)
	}
}

// Whatever the order and the splits, the same log makes the same rows count: a replay from the state
// at any record ends as the run without a restart.
func TestReplayCountsOtherRows(t *testing.T) {
	for seed := range uint64(60) {
		whole, _ := playAsked(t, seed, -1)
		for _, at := range []int{7, 31, 60} {
			if got, _ := playAsked(t, seed, at); fmt.Sprint(got) != fmt.Sprint(whole) {
				t.Fatalf("seed %d, restarted at record %d: other rows count", seed, at)
			}
		}
	}
}

// playAsked plays a random log, with a restart from stored state at a record (-1: none), and returns
// which rows count. The calls that the run has are those that count.
func playAsked(t *testing.T, seed uint64, restart int) (counted map[string]bool, n uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 2))
	b, stored := newBench(t), rows{}
	var last *schema.Call
	for i := range 80 {
		at := time.Duration(i) * 3 * time.Second
		o := []option{key("r"), path(fmt.Sprint("/a/", r.IntN(2))), request([]string{"", fmt.Sprint("q", i/3)}[r.IntN(2)])}
		switch r.IntN(3) {
		case 0:
			o = append(o, asks)
		case 1:
			o = append(o, seenBy(schema.ObserverSidecar, ""))
		}
		last = b.call(at, o...)
		stored.add(last)
		b.clock(at, stored)
		if i == restart {
			entry := EncodeActor(nil, b.p.actors["c:k1"], 1)
			next := newBench(t)
			a, _, err := next.p.Restore(entry)
			if err != nil {
				t.Fatal(err)
			}
			next.p.Adopt(a)
			next.offset, next.w = b.offset, b.w
			b = next
		}
	}
	b.clock(time.Hour, stored)
	if n = b.run(last.RunID).Calls; n != stored.counted() {
		t.Errorf("seed %d: the run has %d calls, %d rows count", seed, n, stored.counted())
	}
	counted = map[string]bool{}
	for id, c := range stored {
		counted[id] = c.Counted()
	}
	return counted, n
}

// A flood of requests that nobody logs: what is kept is bounded per run and per partition, and what
// has no room counts at once.
func TestFloodOfAskedCallsIsKeptWithoutBound(t *testing.T) {
	b, stored := newBench(t), rows{}
	var last *schema.Call
	for i := range 2 * pendingPerRun {
		last = b.call(time.Duration(i)*time.Millisecond, key("r"), request(fmt.Sprint(i)), asks)
		stored.add(last)
		b.clock(0, stored)
	}
	run := b.run(last.RunID)
	if len(run.pending) != pendingPerRun || run.Calls != pendingPerRun || stored.counted() != pendingPerRun {
		t.Errorf("%d rows kept, %d calls, %d rows count at once; want %d of each", len(run.pending), run.Calls, stored.counted(), pendingPerRun)
	}
	for i := range pendingPerPartition + 100 {
		stored.add(b.call(time.Second, key(fmt.Sprint("other", i/100)), request(fmt.Sprint(i)), asks))
		b.clock(0, stored)
	}
	if b.p.checkRows.kept != pendingPerPartition {
		t.Errorf("%d rows kept in the partition, want %d", b.p.checkRows.kept, pendingPerPartition)
	}
	b.clock(time.Hour, stored)
	if n := uint64(len(stored)); stored.counted() != n || b.p.checkRows.kept != 0 || len(b.p.checkRows.waiting) != 0 {
		t.Errorf("%d of %d rows count, %d are kept", stored.counted(), n, b.p.checkRows.kept)
	}
}

// The log clock stands while an ingest lags, goes on without any source, and is never more than ten
// minutes behind the clock of the log.
func TestLogClockWaitsForWhoDoesNotRead(t *testing.T) {
	at := func(d time.Duration) int64 { return t0.Add(d).UnixNano() }
	var w Watermark
	w.Tick(at(0))
	if got := w.LogClock(); got != at(0) {
		t.Errorf("without a source: %v", time.Unix(0, got))
	}
	a, b := schema.Source{Topic: "a"}, schema.Source{Topic: "b"}
	w.Note(a, 0, at(0))
	w.Note(b, at(-time.Minute), 0)
	if got := w.LogClock(); got != at(-time.Minute) {
		t.Errorf("a source lags by a minute: %v", time.Unix(0, got))
	}
	w.Tick(at(time.Hour))
	w.Note(a, 0, at(time.Hour))
	if got := w.LogClock(); got != at(50*time.Minute) {
		t.Errorf("a source lags by an hour: %v", time.Unix(0, got))
	}
}
