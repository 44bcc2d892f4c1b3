package stitch

import (
	"fmt"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/wire"
)

func seenBy(kind schema.ObserverKind, name string) option {
	return func(c *schema.Call) { c.ObserverKind, c.Observer = kind, name }
}
func request(id string) option { return func(c *schema.Call) { c.RequestID = id } }
func status(s uint16) option   { return func(c *schema.Call) { c.Status = s } }

// warm makes an actor's second observer known: until then no other observer is expected for its
// calls.
func warm(b *bench) {
	b.call(0, key("r"), seenBy(schema.ObserverGateway, ""))
	b.call(0, key("r"), seenBy(schema.ObserverSidecar, ""))
}

// A request that a gateway, a sidecar and a service log is one call of the run; all three rows
// refer to it.
func TestThreeObserversOfOneCallAreOneCall(t *testing.T) {
	b := newBench(t)
	warm(b)
	b.call(0, key("r"), seenBy(schema.ObserverServer, "orders"))
	before := b.p.actors["c:k1"]
	first := b.call(time.Second, key("r"), request("q1"), seenBy(schema.ObserverGateway, ""))
	run := b.run(first.RunID)
	calls := run.Calls
	for _, o := range []option{seenBy(schema.ObserverSidecar, ""), seenBy(schema.ObserverServer, "orders")} {
		c := b.call(1100*time.Millisecond, key("r"), request("q1"), o)
		if !c.Duplicate || len(c.Attrs) != 1 || c.Attrs[0] != (schema.Attr{Key: "observation_of",
			Value: fmt.Sprintf("gw/0/%d/0", first.Pos.Offset)}) {
			t.Errorf("%v %+v", c.Duplicate, c.Attrs)
		}
	}
	if run.Calls != calls || len(before.observers) != 3 {
		t.Errorf("%d calls, want %d", run.Calls, calls)
	}
}

// The first call that a second observer logs is recognised: before, each actor's first one counted
// twice, and an actor that is evicted has a first call again.
func TestFirstCallOfASecondObserverCountsOnce(t *testing.T) {
	b := newBench(t)
	first := b.call(0, key("r"), request("q1"), seenBy(schema.ObserverGateway, ""))
	b.call(time.Second, key("r"), request("q2"), seenBy(schema.ObserverGateway, ""))
	for _, id := range []string{"q1", "q2"} {
		if c := b.call(2*time.Second, key("r"), request(id), seenBy(schema.ObserverSidecar, "")); !c.Duplicate {
			t.Errorf("%s counts twice", id)
		}
	}
	if run := b.run(first.RunID); run.Calls != 2 {
		t.Errorf("%d calls, want 2", run.Calls)
	}
	// With one observer, a run remembers only its last calls.
	for i := range 100 {
		b.call(time.Duration(i)*time.Millisecond, key("alone"), actor("c:k2"), cred("k2"), request(fmt.Sprint(i)))
	}
	for r := range b.p.actors["c:k2"].runs.all {
		if len(r.sightings) != fewSightings {
			t.Errorf("%d calls are remembered", len(r.sightings))
		}
	}
}

// A caller that always sends the same request id hides nothing: two rows of one observer are two
// calls, however many observers there are.
func TestConstantRequestIdDoesNotHide(t *testing.T) {
	b := newBench(t)
	warm(b)
	var run *Run
	for i := range 100 {
		at := time.Duration(i) * 10 * time.Millisecond
		c := b.call(at, key("r"), request("always-the-same"), seenBy(schema.ObserverGateway, ""))
		if c.Duplicate {
			t.Fatalf("call %d of the gateway is taken for another sight", i)
		}
		b.call(at+time.Millisecond, key("r"), request("always-the-same"), seenBy(schema.ObserverSidecar, ""))
		run = b.run(c.RunID)
	}
	if run.Calls != 102 {
		t.Errorf("%d calls, want 102", run.Calls)
	}
	// Neither does a caller that only the gateway logs.
	alone := newBench(t)
	for i := range 100 {
		run = alone.run(alone.call(time.Duration(i)*time.Millisecond, key("r"), request("always-the-same"),
			seenBy(schema.ObserverGateway, "")).RunID)
	}
	if run.Calls != 100 {
		t.Errorf("%d calls, want 100", run.Calls)
	}
}

// Rows that differ in method or status, or are more than a minute apart, are two calls.
func TestAnotherStatusIsAnotherCall(t *testing.T) {
	b := newBench(t)
	warm(b)
	b.call(0, key("r"), request("q"), status(200), seenBy(schema.ObserverGateway, ""))
	for name, c := range map[string]*schema.Call{
		"status": b.call(0, key("r"), request("q"), status(500), seenBy(schema.ObserverSidecar, "")),
		"minute": b.call(61*time.Second, key("r"), request("q"), status(200), seenBy(schema.ObserverSidecar, "")),
		"run":    b.call(0, key("other"), request("q"), status(200), seenBy(schema.ObserverSidecar, "")),
	} {
		if c.Duplicate {
			t.Errorf("%s: taken for the same", name)
		}
	}
}

// An agent's own span and the gateway's row are joined by the trace: the agent's span is the parent
// of the gateway's.
func TestClientSpanAndGatewayLineAreOneCall(t *testing.T) {
	b := newBench(t)
	span := func(own, parent byte) option {
		return func(c *schema.Call) {
			c.TraceID, c.SpanID, c.ParentSpanID = [16]byte{7}, [8]byte{own}, [8]byte{parent}
		}
	}
	b.call(0, key("r"), seenBy(schema.ObserverClient, "agent"))
	b.call(0, key("r"), seenBy(schema.ObserverGateway, ""))
	b.call(0, key("r"), span(1, 9), seenBy(schema.ObserverClient, "agent"))
	if c := b.call(time.Millisecond, key("r"), span(0, 1), seenBy(schema.ObserverGateway, "")); !c.Duplicate {
		t.Error("counted twice")
	}
	if c := b.call(time.Millisecond, key("r"), span(0, 1), seenBy(schema.ObserverGateway, "")); c.Duplicate {
		t.Error("a second line of the gateway is another call")
	}
}

// Sightings from before a restart are known after it.
func TestSightsSurviveARestart(t *testing.T) {
	b := newBench(t)
	warm(b)
	first := b.call(time.Second, key("r"), request("q1"), seenBy(schema.ObserverGateway, ""))
	entry := EncodeActor(nil, b.p.actors["c:k1"], 1)
	again := newBench(t)
	a, _, err := again.p.Restore(entry)
	if err != nil {
		t.Fatal(err)
	}
	a.SavedThrough = -1
	again.p.Adopt(a)
	if c := again.call(time.Second, key("r"), request("q1"), seenBy(schema.ObserverSidecar, "")); !c.Duplicate || c.RunID != first.RunID {
		t.Errorf("%+v", c)
	}
}

// An entry of an older version is decoded by the rules of that version.
func TestEntryOfTheVersionBefore(t *testing.T) {
	b := newBench(t)
	warm(b)
	b.call(time.Second, key("r"), request("q1"), seenBy(schema.ObserverGateway, ""))
	w := wire.NewWriter(nil, wire.KindState, 2)
	generation := uint64(1)
	codeActor(w, b.p.actors["c:k1"], &generation, nil, nil)
	a, _, err := newBench(t).p.Restore(w.Bytes())
	if err != nil || a.total != 1 || len(a.observers) != 0 {
		t.Errorf("%+v %v", a, err)
	}
}

// A run of several hours keeps the sightings of the last minute, not all.
func TestOnlyTheLastMinuteIsRemembered(t *testing.T) {
	b := newBench(t)
	warm(b)
	var run *Run
	for i := range 2000 {
		at := time.Duration(i) * 10 * time.Second
		c := b.call(at, key("r"), request(fmt.Sprint(i)), seenBy(schema.ObserverGateway, ""))
		if again := b.call(at+time.Second, key("r"), request(fmt.Sprint(i)), seenBy(schema.ObserverSidecar, "")); !again.Duplicate {
			t.Fatalf("call %d is counted twice", i)
		}
		run = b.run(c.RunID)
	}
	if len(run.sightings) > 10 || cap(run.sightings) > 32 {
		t.Errorf("%d sightings remembered", len(run.sightings))
	}
	for i := range 1000 {
		b.call(20_000*time.Second, key("r"), request(fmt.Sprint("burst", i)), seenBy(schema.ObserverGateway, ""))
	}
	if len(run.sightings) != sightingsPerRun {
		t.Errorf("%d sightings of a burst", len(run.sightings))
	}
	if c := b.call(20_001*time.Second, key("r"), request("burst999"), seenBy(schema.ObserverSidecar, "")); !c.Duplicate {
		t.Error("the last of a burst is counted twice")
	}
}

func path(p string) option { return func(c *schema.Call) { c.Path = p } }
func host(h string) option { return func(c *schema.Call) { c.Host = h } }
func args(d uint64) option {
	return func(c *schema.Call) { c.ArgsDigest, c.ArgsDigestBasis = d, schema.DigestBody }
}
func tool(name string) option { return func(c *schema.Call) { c.ToolName = name } }

// A caller that sends one request id (or the span of one traceparent) for both calls of a pair,
// alternately through two gateways, hides none of them.
func TestRequestIdReusedThroughTwoGatewaysHidesNothing(t *testing.T) {
	span := func(c *schema.Call) { c.TraceID, c.ParentSpanID = [16]byte{7}, [8]byte{9} }
	for name, shared := range map[string]func(pair int) option{
		"request id": func(pair int) option { return request(fmt.Sprint("q", pair)) },
		"span":       func(int) option { return span },
	} {
		b := newBench(t)
		var run *Run
		for i := range 40 {
			gateway := fmt.Sprint("edge-", i%2)
			c := b.call(time.Duration(i)*10*time.Millisecond, key("r"), path(fmt.Sprint("/v1/accounts/", i)), shared(i/2),
				seenBy(schema.ObserverGateway, gateway))
			if c.Duplicate {
				t.Errorf("%s: call %d is taken for another sight of call %d", name, i, i-1)
			}
			run = b.run(c.RunID)
		}
		if run.Calls != 40 {
			t.Errorf("%s: the run has %d calls, want 40", name, run.Calls)
		}
	}
}

// Every difference in a pair of rows makes two calls of them; a field that only one of them has
// does not.
func TestRowsThatDifferInHostToolOrArgumentsAreTwoCalls(t *testing.T) {
	for name, v := range map[string]struct {
		one, other option
		again      bool
	}{
		"path":               {path("/a"), path("/b"), false},
		"host":               {host("a.example"), host("b.example"), false},
		"tool":               {tool("read_account"), tool("delete_account"), false},
		"arguments":          {args(1), args(2), false},
		"host of one only":   {host("a.example"), host(""), true},
		"digest of one only": {args(1), args(0), true},
		"nothing":            {path("/a"), path("/a"), true},
	} {
		b := newBench(t)
		warm(b)
		b.call(time.Second, key("r"), request("q"), v.one, seenBy(schema.ObserverGateway, ""))
		if c := b.call(1100*time.Millisecond, key("r"), request("q"), v.other, seenBy(schema.ObserverSidecar, "")); c.Duplicate != v.again {
			t.Errorf("%s: taken for the same call: %v, want %v", name, c.Duplicate, v.again)
		}
	}
}

// Sightings that the previous version stored do not contain the path: no row counts as a further
// observation of them.
func TestSightsOfTheVersionBeforeHideNothing(t *testing.T) {
	b := newBench(t)
	warm(b)
	b.call(time.Second, key("r"), request("q1"), path("/v1/accounts/1"), seenBy(schema.ObserverGateway, ""))
	w, generation := wire.NewWriter(nil, wire.KindState, 7), uint64(1)
	codeActor(w, b.p.actors["c:k1"], &generation, nil, nil)
	again := newBench(t)
	a, _, err := again.p.Restore(w.Bytes())
	if err != nil || a.total != 1 || len(a.observers) != 2 {
		t.Fatalf("%+v %v", a, err)
	}
	a.SavedThrough = -1
	again.p.Adopt(a)
	if c := again.call(time.Second, key("r"), request("q1"), path("/v1/accounts/1"), seenBy(schema.ObserverSidecar, "")); c.Duplicate {
		t.Error("taken for another sight of a call of which the entry does not say the path")
	}
}
