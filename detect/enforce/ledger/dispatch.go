package ledger

import (
	"flyball/detect/enforce"
	"flyball/schema"
)

// advance applies what is due at a position: exceptions end before breakers and approvals change.
func (s *State) advance(at enforce.LogPosition) []schema.Event {
	var events []schema.Event
	for _, m := range [...]enforce.Timed{s.Exceptions, s.Notices, s.Breakers, s.Approvals} {
		events = append(events, m.Advance(at)...)
	}
	return events
}

// machine returns the state machine that owns a kind of command.
func (s *State) machine(kind schema.CommandKind) enforce.Machine {
	switch kind {
	case schema.CommandTrip:
		return apply(s.trip)
	case schema.CommandAsk, schema.CommandGrant, schema.CommandRefuse, schema.CommandUse:
		return s.Approvals
	case schema.CommandTask:
		return s.Tasks
	case schema.CommandTaskEnd:
		return apply(s.endTask)
	case schema.CommandManifest, schema.CommandManifestDrop:
		return s.Manifests
	case schema.CommandLease:
		return s.Quotas
	case schema.CommandArm, schema.CommandDisarm:
		return s.Arming
	case schema.CommandException, schema.CommandExceptionRemove:
		return s.Exceptions
	case schema.CommandRoutePin, schema.CommandRouteUndo, schema.CommandRouteClear:
		return s.Routes
	case schema.CommandAck, schema.CommandAckUndo, schema.CommandSilence, schema.CommandSilenceEnd:
		return s.Notices
	case schema.CommandSettings:
		return s.settings
	case schema.CommandProven:
		return s.credentials
	case schema.CommandVerdict:
		return apply(recordVerdict)
	case schema.CommandBaseline:
		return apply(orderBaseline)
	case schema.CommandHold, schema.CommandHoldRelease:
		return apply(orderHold)
	case schema.CommandPurge:
		return apply(recordPurge)
	}
	return s.Breakers
}

// apply is a Machine that consists of one function.
type apply func(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event)

func (f apply) Apply(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	return f(at, c)
}

// endTask ends a task, and also the questions and grants of its run.
func (s *State) endTask(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	r, events := s.Tasks.Apply(at, c)
	if r.Code == enforce.TaskEnded {
		t := s.Tasks.Get(r.Ref)
		events = append(events, s.Approvals.EndRun(at, t.Tenant, t.AgentID, t.RunKey)...)
	}
	return r, events
}

// quotaLimits returns the limit and window length of a quota of the manifest for a name or pattern.
// All points return the same values at every position.
func (s *State) quotaLimits(tenant, agent, name string) (limit, per int64, ok bool) {
	m := s.Manifests.ForPattern(tenant, agent)
	if m == nil {
		return 0, 0, false
	}
	return m.Quota(name)
}
