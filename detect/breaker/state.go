package breaker

import (
	"time"

	"flyball/schema"
)

// Budget bounds automatic trips of a tenant. Beyond it a trip is withheld: a
// page, and no breaker.
type Budget struct {
	PerHour int // within the last hour of the log's clock
	Percent int // of the tenant's active agents, at least one agent
}

// DefaultBudget is what a healthy business survives at 3 a.m.
func DefaultBudget() Budget { return Budget{PerHour: 5, Percent: 10} }

// Outcome says what became of a command.
type Outcome string

const (
	Applied       Outcome = "applied"
	Duplicate     Outcome = "duplicate"
	Withheld      Outcome = "trip_withheld"
	Recorded      Outcome = "recorded" // observe or would-have: no breaker
	NoBreaker     Outcome = "no_breaker"
	IfMatchFailed Outcome = "if_match_failed"
	Forced        Outcome = "forced_open_stands"
	Refused       Outcome = "refused"
)

const (
	hour          = int64(time.Hour)
	rememberedIDs = 100_000
	mostBreakers  = 50_000
	mostHistory   = 1_000
)

type key struct {
	tenant string
	scope  schema.Scope
}

// State is what a point holds. It is not for concurrent use.
type State struct {
	Budget  Budget
	Offset  int64 // of the last command folded, -1 before the first
	Clock   int64 // the log's clock: the latest record's time, Unix ns
	open    map[key]*schema.Breaker
	bypass  map[string]schema.Bypass
	outcome map[string]Outcome // by command id
	ids     []string           // ring of the ids in outcome
	nextID  int
	trips   map[string][]trip // automatic trips of the last hour, by tenant
	history []schema.Breaker  // newest last
}

type trip struct {
	At    int64  `json:"at_ns"`
	Agent string `json:"agent"`
}

// New is a state before any command.
func New(b Budget) *State {
	return &State{Budget: b, Offset: -1, open: map[key]*schema.Breaker{}, bypass: map[string]schema.Bypass{}, outcome: map[string]Outcome{}, trips: map[string][]trip{}}
}

// Apply folds the command at an offset whose record the broker stamped at a
// time, and returns the events that follow from it. Offsets at or below the
// last one change nothing.
func (s *State) Apply(offset, at int64, c *schema.Command) []schema.Event {
	if offset <= s.Offset {
		return nil
	}
	s.Offset, s.Clock = offset, max(s.Clock, at)
	events := s.expire()
	if c.Kind == schema.CommandTick {
		return events
	}
	if _, seen := s.outcome[c.ID]; seen && c.ID != "" {
		return events
	}
	outcome, more := s.command(c)
	s.remember(c.ID, outcome)
	return append(events, more...)
}

// Skip passes over a record that could not be read.
func (s *State) Skip(offset, at int64) {
	if offset > s.Offset {
		s.Offset, s.Clock = offset, max(s.Clock, at)
	}
}

// OutcomeOf a command that was folded.
func (s *State) OutcomeOf(id string) (Outcome, bool) {
	o, ok := s.outcome[id]
	return o, ok
}

func (s *State) remember(id string, o Outcome) {
	if id == "" {
		return
	}
	if len(s.ids) < rememberedIDs {
		s.ids = append(s.ids, id)
	} else {
		delete(s.outcome, s.ids[s.nextID])
		s.ids[s.nextID] = id
		s.nextID = (s.nextID + 1) % rememberedIDs
	}
	s.outcome[id] = o
}

func (s *State) command(c *schema.Command) (Outcome, []schema.Event) {
	switch c.Kind {
	case schema.CommandTrip:
		return s.trip(c)
	case schema.CommandForceOpen:
		if c.Scope.Kind == schema.ScopeNone || c.Reason == "" {
			return Refused, nil
		}
		b := schema.Breaker{Tenant: c.Tenant, Scope: c.Scope, State: schema.BreakerForcedOpen, Mode: schema.ModeArmed, Action: schema.ActionDeny, Origin: "operator", By: c.By, Reason: c.Reason, Why: "forced_open"}
		if c.TTL > 0 {
			b.Expires = s.Clock + c.TTL
		}
		return Applied, s.set(b)
	case schema.CommandReset:
		have := s.open[key{c.Tenant, c.Scope}]
		switch {
		case have == nil:
			return NoBreaker, nil
		case c.IfMatch != 0 && c.IfMatch != have.Generation:
			return IfMatchFailed, nil
		}
		b := *have
		b.State, b.Origin, b.By, b.Reason, b.Expires = schema.BreakerClosed, "operator", c.By, c.Reason, 0
		return Applied, s.set(b)
	case schema.CommandBypass:
		if c.TTL <= 0 || c.Reason == "" {
			return Refused, nil
		}
		b := schema.Bypass{Tenant: c.Tenant, Until: s.Clock + c.TTL, Reason: c.Reason, By: c.By, Generation: uint64(s.Offset) + 1}
		s.bypass[c.Tenant] = b
		return Applied, []schema.Event{schema.BypassEvent(&b)}
	}
	return Refused, nil
}

func (s *State) trip(c *schema.Command) (Outcome, []schema.Event) {
	d := c.Decision
	if d == nil || d.Scope.Kind == schema.ScopeNone && d.Mode == schema.ModeArmed {
		return Refused, nil
	}
	b := schema.Breaker{Tenant: c.Tenant, Scope: d.Scope, State: schema.BreakerOpen, Mode: d.Mode, Action: d.Action, Origin: "detector", DecisionID: d.ID,
		FindingID: d.FindingID, RunID: d.RunID, AgentID: d.AgentID, CredentialID: d.CredentialID, Why: d.Why, Reason: d.Reason, By: c.By, Exposure: c.Exposure, Call: d.Call}
	if c.TTL > 0 {
		b.Expires = s.Clock + c.TTL
	}
	outcome := Recorded
	if d.Mode == schema.ModeArmed {
		have := s.open[key{c.Tenant, d.Scope}]
		if have != nil && have.State == schema.BreakerForcedOpen {
			return Forced, nil
		}
		if outcome = Applied; !s.afford(c) {
			b.Mode, outcome = schema.ModeWithheld, Withheld
		}
	}
	if outcome != Applied {
		b.State, b.Expires, b.Since, b.Generation = schema.BreakerClosed, 0, s.Clock, uint64(s.Offset)+1
		s.note(b)
		return outcome, []schema.Event{schema.BreakerEvent(&b)}
	}
	return Applied, s.set(b)
}

// afford spends the tenant's budget of automatic trips.
func (s *State) afford(c *schema.Command) bool {
	recent := s.trips[c.Tenant][:0]
	agents := map[string]bool{}
	for _, t := range s.trips[c.Tenant] {
		if t.At > s.Clock-hour {
			recent = append(recent, t)
			agents[t.Agent] = true
		}
	}
	who := c.Decision.AgentID
	if who == "" {
		who = c.Scope.String()
	}
	agents[who] = true
	ok := len(recent) < s.Budget.PerHour && len(agents) <= max(1, c.ActiveAgents*s.Budget.Percent/100)
	if ok {
		recent = append(recent, trip{s.Clock, who})
	}
	s.trips[c.Tenant] = recent
	return ok
}

// set makes a breaker's new state.
func (s *State) set(b schema.Breaker) []schema.Event {
	b.Since, b.Generation = s.Clock, uint64(s.Offset)+1
	k := key{b.Tenant, b.Scope}
	if b.State == schema.BreakerClosed {
		delete(s.open, k)
	} else {
		if len(s.open) >= mostBreakers {
			s.dropOldest()
		}
		s.open[k] = &b
	}
	s.note(b)
	return []schema.Event{schema.BreakerEvent(&b)}
}

// dropOldest makes room: the automatic breaker that would close first goes.
func (s *State) dropOldest() {
	var oldest key
	for k, b := range s.open {
		if b.State != schema.BreakerForcedOpen && (s.open[oldest] == nil || b.Expires < s.open[oldest].Expires) {
			oldest = k
		}
	}
	delete(s.open, oldest)
}

func (s *State) note(b schema.Breaker) {
	if len(s.history) >= mostHistory {
		s.history = append(s.history[:0], s.history[mostHistory/10:]...)
	}
	s.history = append(s.history, b)
}

// expire closes what the log's clock has passed.
func (s *State) expire() []schema.Event {
	var out []schema.Event
	for k, b := range s.open {
		if b.Expires > 0 && s.Clock >= b.Expires {
			closed := *b
			closed.State, closed.Origin, closed.Since, closed.Generation = schema.BreakerClosed, "ttl", s.Clock, uint64(s.Offset)+1
			delete(s.open, k)
			s.note(closed)
			out = append(out, schema.BreakerEvent(&closed))
		}
	}
	for tenant, b := range s.bypass {
		if s.Clock >= b.Until {
			delete(s.bypass, tenant)
			ended := schema.Bypass{Tenant: tenant, Reason: "the bypass has expired", By: "ttl", Generation: uint64(s.Offset) + 1}
			out = append(out, schema.BypassEvent(&ended))
		}
	}
	return out
}

// Breakers that are not closed, in no order.
func (s *State) Breakers() []schema.Breaker {
	out := make([]schema.Breaker, 0, len(s.open))
	for _, b := range s.open {
		out = append(out, *b)
	}
	return out
}

// History is the last states of breakers, newest last.
func (s *State) History() []schema.Breaker { return append([]schema.Breaker(nil), s.history...) }

// Bypass of a tenant, if one is on.
func (s *State) Bypass(tenant string) (schema.Bypass, bool) {
	b, ok := s.bypass[tenant]
	return b, ok && s.Clock < b.Until
}
