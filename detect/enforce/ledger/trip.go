package ledger

import (
	"flyball/detect/enforce"
	"flyball/detect/enforce/arming"
	"flyball/schema"
)

// Named reasons of a decision that the state has adjusted.
const (
	WhyExcepted = "exception" // the rule is the exception's id
	WhyArmed    = "armed_by_command"
	WhyDisarmed = "disarmed_by_command"
)

// Armed reports whether what a family finds is enforced for the caller of a request:
// by what commands said of the agent, else by the configuration.
func (s *State) Armed(r *Request, family string) bool {
	c := r.Call
	configured := r.Armed != nil && r.Armed(c.AgentID, family)
	if s.Arming.Empty() {
		return configured
	}
	sub := arming.Subject{Tenant: c.Tenant, Agent: c.AgentID, Trust: c.AgentTrust, Family: family}
	if r.Tags != nil {
		sub.Tags = r.Tags(c.AgentID)
	}
	return s.Arming.Decide(sub, configured).Armed
}

// trip is a trip as exceptions and commands of arming leave it. The detector's decision
// says what the scope and the action are; whether it is enforced was its configuration's
// word, which commands come before.
func (s *State) trip(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	if e := s.Exceptions.Find(at.Time, c.Tenant, c.Decision, c.Holder); e != nil && enforceable(c.Decision) {
		s.Exceptions.RecordUse(at.Time, e)
		_, events := s.Breakers.Apply(at, with(c, schema.ModeObserve, WhyExcepted, e.ID))
		return enforce.Result{Code: enforce.TripExcepted, Ref: e.ID}, events
	}
	return s.Breakers.Apply(at, s.adjust(c))
}

// enforceable reports whether a decision is one that arming is about: one that is too
// old to act on, or that no scope fits, is recorded whatever is armed.
func enforceable(d *schema.Decision) bool {
	return d != nil && (d.Mode == schema.ModeObserve || d.Mode == schema.ModeArmed) && d.Scope.Kind != schema.ScopeNone
}

// adjust is the command with its mode as commands of arming have it. A record of an
// older version, which does not say the family, is armed by none.
func (s *State) adjust(c *schema.Command) *schema.Command {
	d := c.Decision
	if s.Arming.Empty() || !enforceable(d) {
		return c
	}
	sub := arming.Subject{Tenant: c.Tenant, Agent: d.AgentID, Family: d.Family}
	if h := c.Holder; h != nil && h.AgentID == d.AgentID {
		sub.Trust, sub.Tags = h.AgentTrust, h.Tags
	}
	a := s.Arming.Decide(sub, d.Mode == schema.ModeArmed)
	switch {
	case a.Order == nil || a.Armed == (d.Mode == schema.ModeArmed):
		return c
	case !a.Armed:
		return with(c, schema.ModeObserve, WhyDisarmed, d.Rule)
	case d.Family == "":
		return c
	}
	return with(c, schema.ModeArmed, WhyArmed, d.Rule)
}

// with is a copy of a trip whose decision has another mode.
func with(c *schema.Command, mode schema.Mode, why, rule string) *schema.Command {
	out, d := *c, *c.Decision
	d.Mode, d.Why, d.Rule = mode, why, rule
	out.Decision = &d
	return &out
}
