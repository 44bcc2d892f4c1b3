package journal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/wire"
)

// indexed returns the rows that the index wrote of calls.
func indexed(x *index) (postings, ids int) {
	postings, ids = x.postings.Rows(), x.ids.Rows()
	x.postings.Reset()
	x.ids.Reset()
	return postings, ids
}

// posted returns the postings of a block as a block of the wanted rows would have them.
func native(rows ...schema.Posting) []byte {
	b := clickhouse.PostingsTable.NewBlock()
	for _, r := range rows {
		b.AppendValue(r)
	}
	return b.AppendNative(nil)
}

const start = int64(1795176000e9) // noon on day 20777

var day = schema.DayOf(start)

// The names of a run are found on the day of its row and on the days of its calls, also names that none of its calls of a day has.
func TestInheritedNameIsNotFound(t *testing.T) {
	x := newIndex()
	run := schema.RunSnapshot{Tenant: "t", Actor: "g:x", AgentID: "shop/bot", AgentAsserted: "alias", CredentialID: "k", PrincipalID: "ana",
		OpenedDay: day - 1}
	actor := schema.HashActor("g:x")
	c := schema.Call{Tenant: "t", ActorHash: actor, Start: start, AgentID: "claimed/bot", Host: "h", ToolName: "tool"}
	addRows(&x, &c, &run)
	x.addRun(&run)
	x.addRun(&run)
	p := func(kind schema.PostingKind, value string, day uint16) schema.Posting {
		return schema.Posting{Tenant: "t", Kind: kind, Value: value, Day: day, Actor: actor, Filed: day}
	}
	want := native(p(schema.PostingAgent, "claimed/bot", day), p(schema.PostingHost, "h", day), p(schema.PostingTool, "tool", day),
		p(schema.PostingAgent, "shop/bot", day), p(schema.PostingAsserted, "alias", day), p(schema.PostingCredential, "k", day),
		p(schema.PostingPrincipal, "ana", day),
		p(schema.PostingAgent, "shop/bot", day-1), p(schema.PostingAsserted, "alias", day-1), p(schema.PostingCredential, "k", day-1),
		p(schema.PostingPrincipal, "ana", day-1))
	if got := x.postings.AppendNative(nil); !bytes.Equal(got, want) {
		t.Errorf("%d rows, want 11:\n%q\n%q", x.postings.Rows(), got, want)
	}
}

// addRows adds all rows of the indexes of a call.
func addRows(x *index, c *schema.Call, run *schema.RunSnapshot) {
	x.addNames(c, run)
	x.addIDs([]*schema.Call{c})
}

// An address is posted in the form that the column of calls has.
func TestMappedAddressIsNotFound(t *testing.T) {
	x := newIndex()
	c := schema.Call{Tenant: "t", ActorHash: 7, Start: start, ClientIP: netip.MustParseAddr("::ffff:10.0.0.1")}
	addRows(&x, &c, &schema.RunSnapshot{OpenedDay: day})
	if got := x.postings.AppendNative(nil); !bytes.Contains(got, []byte("\x0810.0.0.1")) {
		t.Errorf("posted as %q", got)
	}
}

// A row that was written lately is not written again; one that differs in any part is.
func TestPostingIsWrittenForEveryCall(t *testing.T) {
	x := newIndex()
	run := schema.RunSnapshot{OpenedDay: day}
	base := schema.Call{Tenant: "t", ActorHash: 7, Start: start, AgentID: "a", RequestID: "r", TraceID: [16]byte{1}}
	add := func(change func(*schema.Call)) string {
		c := base
		change(&c)
		r := run
		r.AgentID = c.AgentID
		addRows(&x, &c, &r)
		postings, ids := indexed(&x)
		return fmt.Sprint(postings, "+", ids)
	}
	same := func(*schema.Call) {}
	for i, want := range []string{"1+2", "0+0"} {
		if got := add(same); got != want {
			t.Errorf("call %d: %s rows, want %s", i+1, got, want)
		}
	}
	for name, change := range map[string]func(*schema.Call){
		"tenant": func(c *schema.Call) { c.Tenant = "u" }, "actor": func(c *schema.Call) { c.ActorHash = 8 },
		"agent": func(c *schema.Call) { c.AgentID, c.RequestID, c.TraceID = "b", "s", [16]byte{2} },
	} {
		if got := add(change); got != "1+2" {
			t.Errorf("another %s: %s rows", name, got)
		}
	}
	if got := add(func(c *schema.Call) { c.Start += 24 * 3600e9 }); got != "1+2" {
		t.Errorf("another day: %s rows", got)
	}
	if got := add(func(c *schema.Call) { c.AgentAsserted = "a" }); got != "1+0" {
		t.Errorf("the same value of another kind: %s rows", got)
	}
}

// A call that a caller repeats with new values each time takes no more memory than is stated, and no posting is left out.
func TestFloodOfValuesIsRememberedForEver(t *testing.T) {
	m := newMemory(64)
	written := map[uint64]int{}
	for i := range 100_000 {
		v := uint64(i % 200)
		if m.add(mix(v+1, 99)) {
			written[v]++
		}
		if m.newer.n > 64 || m.older.n > 64 {
			t.Fatalf("%d and %d rows are remembered", m.newer.n, m.older.n)
		}
	}
	if len(written) != 200 {
		t.Errorf("%d of 200 rows are written", len(written))
	}
	if got := 8 * (len(m.newer.slots) + len(m.older.slots)); got != m.bytes() {
		t.Errorf("%d bytes, %d are stated", got, m.bytes())
	}
	// What is used all the time is written once.
	m = newMemory(64)
	first := 0
	for i := range 10_000 {
		if m.add(mix(1, 1)) {
			first++
		}
		m.add(mix(uint64(i)+2, 3))
	}
	if first > 10_000/64+1 {
		t.Errorf("a row that is used all the time was written %d times", first)
	}
}

// The hash 0 and the ends of the table are hashes as all others.
func TestSetLosesAHash(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var s hashSet
		var in []uint64
		for range 32 {
			h := random.Uint64N(64) * (1 + random.Uint64N(2)*(1<<63)) // many on one slot
			if h == 1 {
				h = 0
			}
			if s.has(h) {
				continue
			}
			s.insert(h, 32)
			in = append(in, h)
		}
		for _, h := range in {
			if !s.has(h) {
				t.Fatalf("%d of %v is missing", h, in)
			}
		}
	}
}

// A run gets a name after its last call: its snapshot is found by it.
func TestNameThatComesAfterTheCallsIsNotFound(t *testing.T) {
	w := New(0)
	c := schema.Call{Tenant: "t", Start: start, ActorHash: schema.HashActor("t:1")}
	run := schema.RunSnapshot{Tenant: "t", Actor: "t:1", OpenedDay: day}
	w.Add(&c, &run)
	w.Covered(1)
	if tables := sections(t, w.Cut(schema.TopicID{1})); tables["postings"] != 0 {
		t.Errorf("rows %v of a call without a name", tables)
	}
	run.AgentID = "shop/bot"
	for i, want := range []int{1, 0} {
		w.AddRun(&run)
		if tables := sections(t, w.CutStates(schema.TopicID{1})); tables["postings"] != want || tables["runs_v5"] != 1 {
			t.Errorf("snapshot %d: rows %v, want %d postings", i+1, tables, want)
		}
	}
}

// A row of the check can be asked for as any call, also one of a request that was denied. Only touches need the call.
func TestDeniedRowOfTheCheckIsNotFound(t *testing.T) {
	w := New(0)
	c := schema.Call{Tenant: "t", ObserverKind: schema.ObserverGate, Outcome: schema.OutcomeDenied, AgentID: "a", RequestID: "r", Start: start,
		Resources: []schema.Resource{{Type: "order", ID: "7"}}}
	w.Add(&c, &schema.RunSnapshot{AgentID: "a", OpenedDay: day})
	w.Covered(5)
	tables := sections(t, w.Cut(schema.TopicID{1}))
	if tables["postings"] != 1 || tables["call_ids"] != 1 || tables["touches_v5"] != 0 || tables["calls_v5"] != 1 {
		t.Errorf("rows %v", tables)
	}
	if w.Cut(schema.TopicID{1}) != nil {
		t.Error("the rows are written twice")
	}
}

// sections returns the number of rows of each table of a record.
func sections(t *testing.T, value []byte) map[string]int {
	t.Helper()
	rec, err := wire.DecodeJournal(value)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, s := range rec.Sections {
		out[s.Table] += s.Rows
	}
	return out
}
