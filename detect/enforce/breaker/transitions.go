package breaker

import (
	"flyball/detect/enforce"
	"flyball/schema"
)

// Apply opens, closes or probes a breaker, or begins or ends a bypass. A command of
// another kind is rejected.
func (s *State) Apply(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	code, events := s.apply(at, c)
	return enforce.Result{Code: code}, events
}

func (s *State) apply(at enforce.LogPosition, c *schema.Command) (enforce.ResultCode, []schema.Event) {
	switch c.Kind {
	case schema.CommandTrip:
		return s.trip(at, c)
	case schema.CommandForceOpen:
		return s.forceOpen(at, c)
	case schema.CommandReset:
		return s.reset(at, c)
	case schema.CommandProbe:
		return s.probe(at, c), nil
	case schema.CommandBypass, schema.CommandBypassEnd:
		return s.applyBypass(at, c)
	}
	return enforce.Rejected, nil
}

func (s *State) forceOpen(at enforce.LogPosition, c *schema.Command) (enforce.ResultCode, []schema.Event) {
	if c.Scope.Kind == schema.ScopeNone || c.Scope.Value == "" || c.Reason == "" {
		return enforce.Rejected, nil
	}
	b := schema.Breaker{Tenant: c.Tenant, Scope: c.Scope, State: schema.BreakerForcedOpen, Mode: schema.ModeArmed,
		Action: schema.ActionDeny, Origin: "operator", By: c.By, Reason: c.Reason, Why: WhyForced, Holder: c.Holder}
	if have := s.open[keyOf(c.Tenant, c.Scope)]; have != nil && b.Holder == nil {
		b.Holder, b.AgentID, b.CredentialID = have.Holder, have.AgentID, have.CredentialID
	}
	if h := b.Holder; h != nil {
		b.AgentID, b.CredentialID = h.AgentID, h.CredentialID
	}
	if c.TTL > 0 {
		b.Expires = at.Time + c.TTL
	}
	return enforce.Applied, s.set(at, b)
}

func (s *State) reset(at enforce.LogPosition, c *schema.Command) (enforce.ResultCode, []schema.Event) {
	k := keyOf(c.Tenant, c.Scope)
	have := s.open[k]
	switch {
	case have == nil:
		return enforce.NoBreaker, nil
	case c.IfMatch != 0 && c.IfMatch != have.Generation:
		return enforce.IfMatchFailed, nil
	}
	s.removeStrikes(k) // a person has decided: the next trip counts as the first
	return enforce.Applied, s.close(at, have, "operator", c.By, c.Reason)
}

func (s *State) trip(at enforce.LogPosition, c *schema.Command) (enforce.ResultCode, []schema.Event) {
	d := c.Decision
	if d == nil || d.Scope.Kind == schema.ScopeNone && d.Mode == schema.ModeArmed {
		return enforce.Rejected, nil
	}
	b := breakerOfTrip(c)
	if d.Mode != schema.ModeArmed {
		return enforce.Recorded, s.record(at, b)
	}
	have := s.open[keyOf(c.Tenant, d.Scope)]
	switch {
	case have != nil && have.State == schema.BreakerForcedOpen:
		s.setHolder(have, c.Holder)
		return enforce.ForcedOpenStays, nil
	case have != nil: // the caller is already held: no budget is spent
		s.reopen(&b, have)
	case s.withhold(at.Time, c, &b):
		b.Mode = schema.ModeWithheld
		return enforce.TripWithheld, s.record(at, b)
	default:
		b.Strikes = s.openings(at.Time, keyOf(c.Tenant, d.Scope))
	}
	if b.TTL > 0 {
		b.TTL = min(b.TTL<<min(b.Strikes-1, maxDoublings), max(maxOpening, b.TTL))
		b.Expires = at.Time + b.TTL
	}
	return enforce.Applied, s.set(at, b)
}

func breakerOfTrip(c *schema.Command) schema.Breaker {
	d := c.Decision
	return schema.Breaker{Tenant: c.Tenant, Scope: d.Scope, State: schema.BreakerOpen, Mode: d.Mode, Action: d.Action,
		Origin: "detector", DecisionID: d.ID, FindingID: d.FindingID, RunID: d.RunID, AgentID: d.AgentID,
		CredentialID: d.CredentialID, Why: d.Why, Reason: d.Reason, By: c.By, Exposure: c.Exposure, Call: d.Call,
		Found: d.At, TTL: c.TTL, Strikes: 1, Holder: c.Holder}
}

// setHolder sets the holder of a breaker that a person opened without a known holder.
func (s *State) setHolder(have *schema.Breaker, h *schema.Holder) {
	if have.Holder != nil || h == nil {
		return
	}
	next := *have
	next.Holder, next.AgentID, next.CredentialID = h, h.AgentID, h.CredentialID
	s.put(&next)
}

// reopen prepares a trip as the next state of a breaker that is not closed.
func (s *State) reopen(b, have *schema.Breaker) {
	if b.Holder == nil {
		b.Holder = have.Holder
	}
	b.Strikes, b.Action = have.Strikes, max(have.Action, b.Action)
	if have.State == schema.BreakerHalfOpen {
		b.Strikes++
	}
}

// withhold reports whether a trip opens no breaker, because the tenant's budget is spent (an
// annotation needs no budget) or because it would take the room of another pool.
func (s *State) withhold(now int64, c *schema.Command, b *schema.Breaker) bool {
	if c.Decision.Action > schema.ActionAnnotate && !s.spend(now, c) {
		return true
	}
	return len(s.open) >= maxBreakers && poolOfBreaker(b) == claimed && s.evictable(claimed) == nil
}

// probe lets one read pass. The generation proves that the claim is for the half-open state that
// the point saw.
func (s *State) probe(at enforce.LogPosition, c *schema.Command) enforce.ResultCode {
	have := s.open[keyOf(c.Tenant, c.Scope)]
	switch {
	case have == nil || have.State != schema.BreakerHalfOpen:
		return enforce.NoBreaker
	case c.IfMatch != have.Generation:
		return enforce.IfMatchFailed
	case !probeDue(have, at.Time):
		return enforce.ProbeNotDue
	}
	b := *have
	b.Probes, b.ProbeAt = have.Probes+1, at.Time
	s.put(&b)
	if b.Probes >= maxProbes {
		s.due.push(deadline{b.ProbeAt + probeObservation, b.Generation, keyOf(b.Tenant, b.Scope)}, poolOfBreaker(&b))
	}
	return enforce.Applied
}

// probeDue reports whether a half-open breaker lets another read pass.
func probeDue(b *schema.Breaker, now int64) bool {
	return b.Probes < maxProbes && (b.ProbeAt == 0 || now >= b.ProbeAt+probeInterval)
}

// record adds a trip that opened no breaker to the history.
func (s *State) record(at enforce.LogPosition, b schema.Breaker) []schema.Event {
	b.State, b.Expires, b.Since, b.Generation = schema.BreakerClosed, 0, at.Time, at.Generation()
	s.remember(&b)
	return []schema.Event{schema.BreakerEvent(&b)}
}

// set puts a breaker's new state in force.
func (s *State) set(at enforce.LogPosition, b schema.Breaker) []schema.Event {
	b.Since, b.Generation = at.Time, at.Generation()
	k := keyOf(b.Tenant, b.Scope)
	have := s.open[k]
	if b.HeldSince = at.Time; have != nil {
		b.HeldSince = heldSince(have)
	}
	var evicted []schema.Event
	if len(s.open) >= maxBreakers && have == nil {
		if evicted = s.evict(at, claimed); evicted == nil {
			evicted = s.evict(at, main)
		}
	}
	s.put(&b)
	if b.Expires > 0 {
		s.due.push(deadline{b.Expires, b.Generation, k}, poolOfBreaker(&b))
	}
	s.remember(&b)
	return append(evicted, schema.BreakerEvent(&b))
}

func (s *State) close(at enforce.LogPosition, have *schema.Breaker, origin, by, reason string) []schema.Event {
	if have.Strikes > 0 && origin != "operator" {
		s.addStrike(at.Time, have)
	}
	b := *have
	b.State, b.Origin, b.By, b.Reason, b.Expires = schema.BreakerClosed, origin, by, reason, 0
	b.Since, b.Generation = at.Time, at.Generation()
	s.remove(keyOf(have.Tenant, have.Scope))
	s.remember(&b)
	return []schema.Event{schema.BreakerEvent(&b)}
}

// Advance changes the breakers whose deadline has passed at a position, and ends bypasses.
func (s *State) Advance(at enforce.LogPosition) []schema.Event {
	var out []schema.Event
	for s.due.reached(at.Time) {
		d, _ := s.due.pop()
		b := s.open[d.k]
		if b == nil || b.Generation != d.generation {
			continue // it was reset or replaced meanwhile
		}
		out = append(out, s.expire(at, b)...)
	}
	return append(out, s.expireBypasses(at)...)
}

// expire changes a breaker whose deadline has passed.
func (s *State) expire(at enforce.LogPosition, b *schema.Breaker) []schema.Event {
	switch {
	case b.State == schema.BreakerHalfOpen && b.Probes >= maxProbes && at.Time >= b.ProbeAt+probeObservation:
		return s.close(at, b, "probes", "", "the probes were clean")
	case b.State == schema.BreakerHalfOpen && b.Probes >= maxProbes:
		s.due.push(deadline{b.ProbeAt + probeObservation, b.Generation, keyOf(b.Tenant, b.Scope)}, poolOfBreaker(b))
		return nil
	case b.State == schema.BreakerHalfOpen:
		return s.close(at, b, "dormant", "", "nobody has asked for a day")
	case b.State == schema.BreakerOpen && b.Action == schema.ActionDeny && b.Tenant != schema.CanaryTenant:
		half := *b
		half.State, half.Origin, half.Expires = schema.BreakerHalfOpen, "ttl", at.Time+halfOpenTTL
		half.Probes, half.ProbeAt = 0, 0
		return s.set(at, half)
	}
	return s.close(at, b, "ttl", "", "its time is over")
}
