package stitch

import (
	"encoding/hex"

	"flyball/schema"
	"flyball/schema/wire"
)

// sourceBinding names the rule that assigns spans without a caller to an agent.
const sourceBinding = "trace_binding"

// BindTrace records, at an offset of flyball.calls, which run a trace belongs to. Spans of
// the trace that name no caller, before and after, are a sub-run of that run, under the name
// of its agent.
func (p *Partition) BindTrace(b *wire.TraceBinding, offset int64) {
	c := &schema.Call{Tenant: b.Tenant, RoutingKey: wire.TraceActor(b.Trace), TraceID: b.Trace, Start: b.At, DurationNs: -1,
		AgentID: b.Agent.ID, AgentName: b.Agent.Name, AgentVersion: b.Agent.Version, AgentTrust: b.Agent.Trust, AgentSource: sourceBinding,
		PrincipalID: b.Behalf, PrincipalTrust: b.BehalfBy, PrincipalSource: sourceBinding, CallerKind: b.Caller, TaskID: b.TaskID}
	a := p.actors[c.RoutingKey]
	if a == nil {
		// It is possible that no span ever arrives, so the trace gets at most half of the room of
		// claimed actors, whatever the standing of its owner: one owner can have any number of
		// traces.
		if !p.counters.actorPools.room(schema.StandingClaimed, p.limits.Actors, half(p.limits.claimedActors())) ||
			!p.counters.openPools.room(schema.StandingClaimed, p.limits.OpenRuns, half(p.limits.claimedRuns())) {
			p.counters.countRefusal(schema.StandingClaimed)
			return
		}
		a = p.binder.newActor(c.RoutingKey, schema.StandingClaimed)
	}
	if offset <= a.SavedThrough {
		return
	}
	k := bindKey{Rule: schema.RunTrace, Key: hex.EncodeToString(b.Trace[:])}
	r := p.binder.runByKey(a, &schema.Call{Tenant: b.Tenant, TraceID: b.Trace, Start: b.At}, k, nil, offset)
	if r.ParentRunID.IsZero() && r.RunID != b.RunID {
		r.ParentRunID = b.RunID
	}
	if r.StartedAt == 0 {
		r.StartedAt, r.LastAt, r.lastEnd = b.At, b.At, b.At
	}
	r.identify(c)
	r.TraceID = b.Trace
	if r.Calls > 0 {
		p.changed.mark(r)
	}
	r.markUnstored()
	a.Included = offset
	p.dirty.mark(a, offset)
	p.queues.schedule(r)
}

// inherit sets the agent of a span without a caller to the agent that its trace belongs to.
func (r *Run) inherit(c *schema.Call) {
	if r.AgentSource == sourceBinding && c.AgentTrust < r.AgentTrust {
		c.AgentID, c.AgentName, c.AgentVersion = r.AgentID, r.AgentName, r.AgentVersion
		c.AgentSource, c.AgentTrust, c.CallerKind = sourceBinding, schema.TrustInferred, r.CallerKind
	}
}
