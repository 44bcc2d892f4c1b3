package stitch

import (
	"fmt"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/wire"
)

// nobody changes a call to a server span without a caller: its routing key is its trace.
func nobody(tr [16]byte) option {
	return func(c *schema.Call) {
		c.TraceID, c.CredentialID, c.CredentialTrust, c.ObserverKind = tr, "", 0, schema.ObserverServer
		c.RoutingKey = wire.TraceActor(tr)
	}
}

func owner(t *testing.T, tr [16]byte) (wire.TraceBinding, schema.RunID) {
	t.Helper()
	agent := schema.Call{Tenant: "default", RoutingKey: "o:svc/planner", TraceID: tr, SpanID: [8]byte{1}, AgentID: "svc/planner",
		AgentTrust: schema.TrustInfrastructure,
		AgentSpan:  true, ObserverKind: schema.ObserverAgentRuntime, RunKey: "run-7", CallerKind: schema.CallerAgent, TaskID: "task-3"}
	b, ok := wire.BindingOf(&agent)
	if !ok {
		t.Fatal("an agent's span tells nothing")
	}
	got, err := wire.DecodeBinding(wire.EncodeBinding(nil, &b))
	if err != nil || got != b {
		t.Fatal(got, err)
	}
	return got, schema.RunIdentity{Tenant: "default", RoutingActor: "o:svc/planner", Rule: schema.RunExplicit, Key: "run-7"}.ID()
}

// Spans of a service without a caller belong to the agent that owns the trace, whether the agent's
// own span arrives before or after them.
func TestSpansWithoutACallerAreTheirTracesOwners(t *testing.T) {
	tr := [16]byte{7, 7}
	for _, late := range []bool{false, true} {
		b := newBench(t)
		binding, run := owner(t, tr)
		binding.At = t0.UnixNano()
		if late {
			b.call(0, nobody(tr))
		}
		b.p.BindTrace(&binding, b.offset)
		b.offset++
		c := b.call(time.Second, nobody(tr))
		r := b.run(c.RunID)
		if r.AgentID != "svc/planner" || r.ParentRunID != run || r.TaskID != "task-3" || r.CallerKind != schema.CallerAgent {
			t.Errorf("late %v: %+v", late, r.Snapshot())
		}
		if c.AgentID != "svc/planner" || c.AgentTrust != schema.TrustInferred || c.AgentSource != sourceBinding {
			t.Errorf("late %v: %s %s %s", late, c.AgentID, c.AgentTrust, c.AgentSource)
		}
	}
}

// A trace without spans of services is not a run, and is removed in time.
func TestOwnerOfASilentTraceIsNoRun(t *testing.T) {
	b := newBench(t)
	binding, _ := owner(t, [16]byte{9})
	binding.At = t0.UnixNano()
	b.p.BindTrace(&binding, b.offset)
	b.offset++
	if got := b.p.TakeChanged(nil); len(got) != 0 {
		t.Errorf("%d snapshots", len(got))
	}
	for i := range 400 {
		b.call(time.Duration(i)*time.Minute, key(fmt.Sprint(i)))
	}
	for _, r := range b.p.TakeChanged(nil) {
		if r.Calls == 0 {
			t.Error("a run without calls is told of")
		}
	}
	if n := b.p.actors[wire.TraceActor([16]byte{9})]; n != nil && !n.Empty() {
		t.Error("the trace is still remembered")
	}
}

// Log lines of gateways bind no trace, because a caller can send another agent's trace. Agents
// whose name is only asserted bind none either, unless the span is the agent's own.
func TestOnlyWhoWasEstablishedOwnsATrace(t *testing.T) {
	for name, c := range map[string]schema.Call{
		"a gateway's line": {ObserverKind: schema.ObserverGateway, AgentID: "a", AgentTrust: schema.TrustVerified},
		"an asserted name": {ObserverKind: schema.ObserverServer, AgentID: "a", AgentTrust: schema.TrustAsserted},
		"nobody":           {ObserverKind: schema.ObserverServer},
		"the trace's actor": {ObserverKind: schema.ObserverServer, AgentID: "a", AgentTrust: schema.TrustVerified,
			RoutingKey: wire.TraceActor([16]byte{1})},
	} {
		c.TraceID, c.SpanID = [16]byte{1}, [8]byte{1}
		if _, ok := wire.BindingOf(&c); ok {
			t.Errorf("%s binds a trace", name)
		}
	}
}

// Unused traces take no room from callers.
func TestInventedTracesAreBounded(t *testing.T) {
	b := newBench(t, func(l *Limits) { l.Actors = 100 })
	for i := range 1000 {
		binding, _ := owner(t, [16]byte{1, byte(i), byte(i >> 8)})
		b.p.BindTrace(&binding, b.offset)
		b.offset++
	}
	if len(b.p.actors) > 50 {
		t.Errorf("%d actors", len(b.p.actors))
	}
}

// After a restart the owner of a trace is still known.
func TestOwnerSurvivesARestart(t *testing.T) {
	tr := [16]byte{3}
	b := newBench(t)
	binding, run := owner(t, tr)
	binding.At = t0.UnixNano()
	b.p.BindTrace(&binding, 0)
	entry := EncodeActor(nil, b.p.actors[wire.TraceActor(tr)], 1)
	again := newBench(t)
	a, _, err := again.p.Restore(entry)
	if err != nil {
		t.Fatal(err)
	}
	again.p.Adopt(a)
	again.offset = 1
	c := again.call(time.Second, nobody(tr))
	if r := again.run(c.RunID); r.ParentRunID != run || r.AgentID != "svc/planner" {
		t.Errorf("%+v", r.Snapshot())
	}
}
