package ledger

import (
	"flyball/detect/enforce"
	"flyball/detect/enforce/arming"
	"flyball/schema"
)

// Named reasons of a decision whose mode the ledger has changed.
const (
	whyExcepted = "exception" // the rule is the exception's id
	whyArmed    = "armed_by_command"
	whyDisarmed = "disarmed_by_command"
)

// trip applies a trip after exceptions and commands of arming. Scope and action are those of the
// detector's decision. The detector's configuration sets the mode; commands have priority over it.
func (s *State) trip(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	if e := s.Exceptions.Find(at.Time, c.Tenant, c.Decision, c.Holder); e != nil && enforceable(c.Decision) {
		s.Exceptions.RecordUse(at.Time, e)
		_, events := s.Breakers.Apply(at, withMode(c, schema.ModeObserve, whyExcepted, e.ID))
		return enforce.Result{Code: enforce.TripExcepted, Ref: e.ID}, events
	}
	return s.Breakers.Apply(at, s.armed(c))
}

// enforceable reports whether arming can change the mode of a decision. A decision that is too old,
// or that has no scope, is recorded in any case.
func enforceable(d *schema.Decision) bool {
	return d != nil && (d.Mode == schema.ModeObserve || d.Mode == schema.ModeArmed) && d.Scope.Kind != schema.ScopeNone
}

// armed returns a trip with the mode that commands of arming set. A record of an older version,
// which does not contain the family, is not armed by a command.
func (s *State) armed(c *schema.Command) *schema.Command {
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
		return withMode(c, schema.ModeObserve, whyDisarmed, d.Rule)
	case d.Family == "":
		return c
	}
	return withMode(c, schema.ModeArmed, whyArmed, d.Rule)
}

// withMode returns a copy of a trip whose decision has another mode.
func withMode(c *schema.Command, mode schema.Mode, why, rule string) *schema.Command {
	out, d := *c, *c.Decision
	d.Mode, d.Why, d.Rule = mode, why, rule
	out.Decision = &d
	return &out
}
