package stitch

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"flyball/schema"
)

var t0 = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// bench applies calls to one partition in the same way as the engine.
type bench struct {
	t      *testing.T
	p      *Partition
	w      Watermark
	offset int64
	source schema.Source
}

func newBench(t *testing.T, change ...func(*Limits)) *bench {
	l := DefaultLimits()
	for _, f := range change {
		f(&l)
	}
	return &bench{t: t, p: NewPartition(0, l), w: Watermark{Lateness: l.Lateness},
		source: schema.Source{Topic: "gw", TopicID: schema.TopicID{1}}}
}

type option func(*schema.Call)

func key(k string) option  { return func(c *schema.Call) { c.RunKey = k } }
func cred(k string) option { return func(c *schema.Call) { c.CredentialID = k } }
func trace(b byte) option  { return func(c *schema.Call) { c.TraceID = [16]byte{b} } }
func actor(a string) option {
	return func(c *schema.Call) { c.RoutingKey = a }
}
func principal(p string) option {
	return func(c *schema.Call) { c.PrincipalID, c.PrincipalTrust = p, schema.TrustVerified }
}

// call applies a call at a time after t0 and advances the watermark by it.
func (b *bench) call(at time.Duration, opts ...option) *schema.Call {
	b.t.Helper()
	c := &schema.Call{Source: b.source, Pos: schema.Position{Offset: b.offset}, Tenant: "default", RoutingKey: "c:k1", CredentialID: "k1",
		CredentialTrust: schema.TrustInfrastructure, Start: t0.Add(at).UnixNano(), DurationNs: int64(time.Millisecond), Method: "GET",
		RouteKey: "/orders/{}"}
	for _, o := range opts {
		o(c)
	}
	b.p.Apply(c, b.offset)
	b.w.Note(c.Source, c.Start, 0)
	b.p.Advance(b.w.Time(), b.offset)
	b.offset++
	return c
}

func (b *bench) current(s schema.Source, at time.Duration) {
	now := t0.Add(at).UnixNano()
	b.w.Tick(now)
	b.w.Note(s, 0, now)
	b.p.Advance(b.w.Time(), b.offset)
	b.offset++
}

func (b *bench) run(id schema.RunID) *Run {
	for _, a := range b.p.actors {
		for r := range a.runs.all {
			if r.RunID == id {
				return r
			}
		}
	}
	return nil
}

func TestCallerChosenIdNeverJoinsTwoCredentials(t *testing.T) {
	b := newBench(t)
	one := b.call(0, key("run-7"), cred("k1"), actor("c:k1"))
	two := b.call(1, key("run-7"), cred("k2"), actor("c:k2"))
	// Even under one actor.
	three := b.call(2, key("run-7"), cred("k3"), actor("c:k1"))
	if one.RunID == two.RunID || one.RunID == three.RunID {
		t.Fatal("calls of two credentials are in one run")
	}
	// A trace that another credential used does not join them either.
	b.call(3, key("run-8"), cred("k1"), actor("c:k1"), trace(9))
	if c := b.call(4, cred("k3"), actor("c:k1"), trace(9)); c.RunID == one.RunID || c.RunKey == "run-8" {
		t.Fatal("a trace id joined two credentials")
	}
}

func TestLateCallReopensEvictedRun(t *testing.T) {
	b := newBench(t)
	first := b.call(0, key("a"))
	b.call(2*time.Hour, key("b")) // closes a
	b.call(4*time.Hour, key("b")) // evicts a
	if b.run(first.RunID) != nil {
		t.Fatal("run a is still in memory")
	}
	late := b.call(time.Minute, key("a"))
	if late.RunID != first.RunID || late.Segment == first.Segment || !late.Late {
		t.Fatalf("late call: run %v segment %d late %v, want run %v in a new segment", late.RunID, late.Segment, late.Late, first.RunID)
	}
	// It closes again by itself: a late call does not keep a run open.
	b.call(5*time.Hour, key("b"))
	if r := b.run(first.RunID); r == nil || r.State != schema.RunClosed {
		t.Fatalf("reopened run is %+v", r)
	}
}

func TestIdlePartitionStillCloses(t *testing.T) {
	b := newBench(t)
	other := schema.Source{Topic: "gw", TopicID: schema.TopicID{1}, Partition: 1}
	b.w.Note(other, t0.UnixNano(), 0) // it sent one position and nothing more
	c := b.call(0, key("a"))
	b.call(3*time.Hour, key("b"))
	if b.run(c.RunID).State != schema.RunOpen {
		t.Fatal("closed although a source may still hold older calls")
	}
	b.current(other, 3*time.Hour)
	if b.run(c.RunID).State != schema.RunClosed {
		t.Fatal("an idle source keeps runs open")
	}
}

// An input that was removed is never reported again: runs close all the same, half an hour later.
func TestRemovedInputHoldsTheWatermark(t *testing.T) {
	b := newBench(t)
	gone := schema.Source{Topic: "old", TopicID: schema.TopicID{7}}
	b.current(b.source, 0)
	b.w.Note(gone, t0.UnixNano(), 0)
	c := b.call(0, key("a"))
	for at := time.Duration(0); at <= 29*time.Minute; at += 10 * time.Second {
		b.current(b.source, at)
	}
	if b.p.watermark > t0.UnixNano() {
		t.Fatal("a source counts as removed although its ingest may be starting")
	}
	for at := 29 * time.Minute; at <= 66*time.Minute; at += 10 * time.Second {
		b.current(b.source, at)
	}
	if r := b.run(c.RunID); r != nil && r.State != schema.RunClosed {
		t.Fatal("a removed input holds the watermark")
	}
}

// While no ingest runs, no source is silent: the first one that is heard again does not move the watermark past the calls that the
// others have still to read.
func TestOutageOfAllIngestsMakesCallsLate(t *testing.T) {
	b := newBench(t)
	other := schema.Source{Topic: "gw", TopicID: schema.TopicID{1}, Partition: 1}
	b.current(b.source, 0)
	b.w.Note(other, t0.UnixNano(), 0)
	b.current(b.source, 3*time.Hour)
	if b.p.watermark > t0.UnixNano() {
		t.Fatal("the watermark has passed what the other source has still to read")
	}
	for at := 3 * time.Hour; at <= 3*time.Hour+31*time.Minute; at += 10 * time.Second {
		b.current(b.source, at)
	}
	if b.p.watermark < t0.UnixNano() {
		t.Fatal("a source that was not heard since the outage holds the watermark")
	}
}

func TestTopicRecreated(t *testing.T) {
	b := newBench(t)
	c := b.call(0, key("a"))
	b.source.TopicID = schema.TopicID{2} // same name, new topic, offsets from 0
	again := b.call(time.Hour, key("a"))
	if c.RunID != again.RunID {
		t.Fatal("the run did not survive its topic")
	}
	if len(b.w.Sources) != 1 {
		t.Fatalf("sources %v: the deleted topic still counts", b.w.Sources)
	}
}

func TestInventedRunIdsCannotEvictAnother(t *testing.T) {
	b := newBench(t, func(l *Limits) { l.OpenRunsPerActor, l.ClosedRunsPerActor = 100, 100 })
	honest := b.call(0, key("honest"), actor("c:good"), cred("good"))
	for i := range 200_000 {
		c := b.call(time.Duration(i)*time.Microsecond, key(fmt.Sprint("evil-", i)), actor("c:evil"), cred("evil"))
		if i > 200 && c.RunRule != schema.RunOverflow {
			t.Fatalf("call %d got a run of its own by rule %v", i, c.RunRule)
		}
	}
	if r := b.run(honest.RunID); r == nil || r.State != schema.RunOpen || r.Calls != 1 {
		t.Fatal("another actor's run was evicted")
	}
	if n := b.p.OpenRuns(); n > 102 {
		t.Fatalf("%d open runs", n)
	}
	if b.p.counters.refusals < 199_000 {
		t.Fatalf("%d refusals counted", b.p.counters.refusals)
	}
	for _, a := range b.p.actors {
		for r := range a.runs.all {
			if r.bind.Rule == schema.RunOverflow {
				if n := r.Snapshot().OverflowKeys; n < 170_000 || n > 230_000 {
					t.Fatalf("overflow run estimates %d keys", n)
				}
			}
		}
	}
}

func TestInventedAgentsAreBoundedToo(t *testing.T) {
	b := newBench(t, func(l *Limits) { l.Actors = 50 })
	for i := range 10_000 {
		b.call(time.Duration(i), key("r"), func(c *schema.Call) {
			c.RoutingKey, c.CredentialID, c.CredentialTrust = fmt.Sprint("s:agent-", i), "", schema.TrustNone
			c.ClientIP = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		})
	}
	if n := b.p.Actors(); n > 101 {
		t.Fatalf("%d actors", n)
	}
	if c := b.call(1, key("x"), actor("c:new"), cred("new")); c.RunRule != schema.RunExplicit || b.run(c.RunID).Actor != "c:new" {
		t.Fatal("an authenticated actor found no room")
	}
}

func TestSilenceSplitsSessionsAndLateCallsFindTheirs(t *testing.T) {
	b := newBench(t)
	one := b.call(0)
	same := b.call(9 * time.Minute)
	two := b.call(25 * time.Minute)
	late := b.call(8 * time.Minute)
	if one.RunID != same.RunID || one.RunID == two.RunID || late.RunID != one.RunID {
		t.Fatalf("sessions %v %v %v %v", one.RunID, same.RunID, two.RunID, late.RunID)
	}
	if one.RunRule != schema.RunSession {
		t.Fatalf("rule %v", one.RunRule)
	}
}

func TestAnotherVerifiedPrincipalIsAnotherRun(t *testing.T) {
	b := newBench(t)
	alice := b.call(0, key("r"), principal("alice"))
	bob := b.call(1, key("r"), principal("bob"))
	aliceAgain := b.call(2, key("r"), principal("alice"))
	bobAgain := b.call(3, key("r"), principal("bob"))
	if alice.RunID == bob.RunID || alice.RunID != aliceAgain.RunID || bob.RunID != bobAgain.RunID {
		t.Fatal("principals share a run, or one of them has two")
	}
}

func TestRulesInOrder(t *testing.T) {
	b := newBench(t)
	span := func(c *schema.Call) { c.AgentSpan = true }
	conv := func(c *schema.Call) { c.ConversationID = "conv" }
	child := b.call(0, trace(1))
	root := b.call(1, trace(1), span) // spans arrive children first
	if child.RunID != root.RunID || b.run(root.RunID).Rule != schema.RunAgentSpan {
		t.Fatal("the agent's root span did not claim its trace")
	}
	explicit := b.call(2, key("k"), trace(2), conv)
	joined := b.call(3, trace(2))
	if explicit.RunID != joined.RunID || joined.RunRule != schema.RunTrace {
		t.Fatal("a trace of an explicit run did not bring its calls home")
	}
	c1, c2 := b.call(4, conv), b.call(5, conv)
	if c1.RunID != c2.RunID || c1.RunRule != schema.RunConversation {
		t.Fatal("conversation")
	}
}

func TestSubRunsFormATree(t *testing.T) {
	b := newBench(t)
	main := b.call(0, key("session"))
	sub := b.call(1, key("session"), func(c *schema.Call) { c.ParentAgent, c.AgentAsserted = "main", "worker" })
	subsub := b.call(2, key("session"), func(c *schema.Call) { c.ParentAgent, c.AgentAsserted = "worker", "helper" })
	if b.run(sub.RunID).ParentRunID != main.RunID || b.run(subsub.RunID).ParentRunID != sub.RunID {
		t.Fatal("parents are wrong")
	}
}

func TestRestoredStateGoesOnAsIfNothingHappened(t *testing.T) {
	calls := func(b *bench, from, to int) {
		for i := from; i < to; i++ {
			var opts []option
			switch i % 4 {
			case 0:
				opts = []option{key(fmt.Sprint("r", i%12)), trace(byte(i % 7))}
			case 1:
				opts = []option{actor("c:k2"), cred("k2")}
			case 2:
				opts = []option{trace(byte(i % 11))}
			}
			opts = append(opts, func(c *schema.Call) {
				c.Resources = []schema.Resource{{Type: "order", ID: fmt.Sprint(i * 31 % 700)}}
			})
			b.call(time.Duration(i)*17*time.Second-time.Duration(i%5)*time.Minute, opts...)
		}
	}
	snapshots := func(p *Partition) map[schema.RunID]schema.RunSnapshot {
		out := map[schema.RunID]schema.RunSnapshot{}
		for _, a := range p.actors {
			for r := range a.runs.all {
				out[r.RunID] = r.Snapshot()
			}
		}
		return out
	}
	whole := newBench(t)
	calls(whole, 0, 3000)

	cut := newBench(t)
	calls(cut, 0, 1700)
	after := newBench(t)
	after.offset, after.w = cut.offset, cut.w
	after.p.SetWatermark(cut.p.watermark)
	for _, a := range cut.p.actors {
		restored, gen, err := after.p.Restore(EncodeActor(nil, a, 3))
		if err != nil || gen != 3 {
			t.Fatal(gen, err)
		}
		after.p.Adopt(restored)
	}
	calls(after, 1700, 3000)
	if want, got := snapshots(whole.p), snapshots(after.p); !reflect.DeepEqual(want, got) {
		t.Fatalf("runs differ after a restart: %d and %d", len(want), len(got))
	}
	// Calls that the entry includes are not applied again.
	before := snapshots(after.p)
	for _, a := range after.p.actors {
		a.SavedThrough = a.Included
	}
	after.offset = 1700
	if c := after.call(0, key("r0")); c.RunRule != schema.RunRuleNone || !reflect.DeepEqual(before, snapshots(after.p)) {
		t.Fatal("a call that the entry includes was applied twice")
	}
}

func BenchmarkApply(b *testing.B) {
	p := NewPartition(0, DefaultLimits())
	calls := make([]schema.Call, 4096)
	for i := range calls {
		a := fmt.Sprint("agent-", i*7919%1250)
		calls[i] = schema.Call{Source: schema.Source{Topic: "gw"}, Tenant: "default", RoutingKey: a, CredentialID: a, RunKey: "run-" + a,
			TraceID: [16]byte{byte(i), byte(i >> 8), 1}, Method: "GET", RouteKey: "/orders/{}", Resources: []schema.Resource{{Type: "order",
				ID: fmt.Sprint(i * 31)}}}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c := &calls[i%len(calls)]
		c.Start = t0.UnixNano() + int64(i)*1e6
		p.Apply(c, int64(i))
		if i%256 == 0 {
			p.Advance(c.Start-int64(5*time.Minute), int64(i))
		}
		i++
	}
}

// BenchmarkApplySeenByTwo applies calls that a gateway and a sidecar behind it log, with one
// request id.
func BenchmarkApplySeenByTwo(b *testing.B) {
	p := NewPartition(0, DefaultLimits())
	calls := make([]schema.Call, 4096)
	for i := range calls {
		n := i / 2
		a := fmt.Sprint("agent-", n*7919%1250)
		calls[i] = schema.Call{Source: schema.Source{Topic: "gw"}, Tenant: "default", RoutingKey: a, CredentialID: a, RunKey: "run-" + a,
			RequestID: fmt.Sprint("q", n), Host: "api.example",
			ObserverKind: []schema.ObserverKind{schema.ObserverGateway, schema.ObserverSidecar}[i%2], Method: "GET", Path: fmt.Sprint("/orders/",
				n), RouteKey: "/orders/{}", Status: 200,
			Resources: []schema.Resource{{Type: "order", ID: fmt.Sprint(n)}}}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c := &calls[i%len(calls)]
		c.Start = t0.UnixNano() + int64(i)*1e6
		c.Attrs = c.Attrs[:0]
		p.Apply(c, int64(i))
		if i%256 == 0 {
			p.Advance(c.Start-int64(5*time.Minute), int64(i))
		}
		i++
	}
}
