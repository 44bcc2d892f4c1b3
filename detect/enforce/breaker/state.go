package breaker

import (
	"cmp"
	"slices"
	"time"

	"flyball/detect/enforce"
	"flyball/schema"
)

// The course of a breaker that denies.
const (
	// Probes are the reads that a half-open breaker lets through, one at a time.
	Probes     = 3
	probeEvery = int64(time.Second)
	// quiet is how long the detector has after the last probe to object to what it saw.
	quiet = int64(30 * time.Second)
	// dormant is how long a half-open breaker waits for somebody to probe: nobody
	// has asked for so long that there is nobody to let in or to keep out.
	dormant      = 24 * hour
	maxOpening   = 24 * hour // of an opening
	maxDoublings = 8

	// Bounds. Of what callers of a claimed identity cause there is as much or less,
	// and it never takes the room of the rest.
	maxBreakers       = 50_000 // in all; claimed ones go first
	maxHistory        = 1_000
	maxClaimedHistory = 500
	maxStrikes        = 50_000 // of each pool
)

type key struct {
	tenant string
	scope  schema.Scope
}

// strike remembers a breaker that closed not long ago.
type strike struct {
	N     int   `json:"n"`
	Until int64 `json:"until_ns"`
}

// State is what a point holds of breakers. It is not for concurrent use. A
// breaker that was given out is never changed.
type State struct {
	Budget  Budget            // of tenants of whom the log says nothing
	budgets map[string]Budget // by tenant
	open    map[key]*schema.Breaker
	held    map[holderKey]*heldRuns // those on runs, by whom they also hold
	routes  map[string][]onRoute    // by tenant
	due     deadlines
	strikes [pools]map[key]strike
	bypass  map[bypassed]schema.Bypass
	trips   map[string]*spending     // by tenant and pool
	history [pools][]*schema.Breaker // newest last
}

// New is a state before any command.
func New(b Budget) *State {
	return &State{Budget: b, budgets: map[string]Budget{}, open: map[key]*schema.Breaker{}, held: map[holderKey]*heldRuns{}, routes: map[string][]onRoute{},
		strikes: [pools]map[key]strike{{}, {}}, bypass: map[bypassed]schema.Bypass{}, trips: map[string]*spending{}}
}

// Apply folds a command and returns what became of it and the events that
// follow. What is no command of breakers is refused.
func (s *State) Apply(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	code, events := s.apply(at, c)
	return enforce.Result{Code: code}, events
}

func (s *State) apply(at enforce.LogPosition, c *schema.Command) (enforce.ResultCode, []schema.Event) {
	switch c.Kind {
	case schema.CommandTrip:
		return s.trip(at, c)
	case schema.CommandForceOpen:
		if c.Scope.Kind == schema.ScopeNone || c.Scope.Value == "" || c.Reason == "" {
			return enforce.Rejected, nil
		}
		b := schema.Breaker{Tenant: c.Tenant, Scope: c.Scope, State: schema.BreakerForcedOpen, Mode: schema.ModeArmed, Action: schema.ActionDeny, Origin: "operator", By: c.By, Reason: c.Reason, Why: "forced_open", Holder: c.Holder}
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
	case schema.CommandReset:
		k := keyOf(c.Tenant, c.Scope)
		have := s.open[k]
		switch {
		case have == nil:
			return enforce.NoBreaker, nil
		case c.IfMatch != 0 && c.IfMatch != have.Generation:
			return enforce.IfMatchFailed, nil
		}
		for p := range s.strikes { // a person has judged it: it begins anew
			delete(s.strikes[p], k)
		}
		return enforce.Applied, s.close(at, have, "operator", c.By, c.Reason)
	case schema.CommandProbe:
		return s.probe(at, c), nil
	case schema.CommandBypass, schema.CommandBypassEnd:
		return s.applyBypass(at, c)
	}
	return enforce.Rejected, nil
}

func (s *State) trip(at enforce.LogPosition, c *schema.Command) (enforce.ResultCode, []schema.Event) {
	d := c.Decision
	if d == nil || d.Scope.Kind == schema.ScopeNone && d.Mode == schema.ModeArmed {
		return enforce.Rejected, nil
	}
	b := schema.Breaker{Tenant: c.Tenant, Scope: d.Scope, State: schema.BreakerOpen, Mode: d.Mode, Action: d.Action, Origin: "detector", DecisionID: d.ID,
		FindingID: d.FindingID, RunID: d.RunID, AgentID: d.AgentID, CredentialID: d.CredentialID, Why: d.Why, Reason: d.Reason, By: c.By,
		Exposure: c.Exposure, Call: d.Call, Found: d.At, TTL: c.TTL, Strikes: 1, Holder: c.Holder}
	if d.Mode != schema.ModeArmed {
		return enforce.Recorded, s.record(at, b)
	}
	k := keyOf(c.Tenant, d.Scope)
	have := s.open[k]
	if have != nil && b.Holder == nil {
		b.Holder = have.Holder
	}
	switch {
	case have != nil && have.State == schema.BreakerForcedOpen:
		if have.Holder == nil && c.Holder != nil { // a person opened it without knowing whose run it is
			next := *have
			next.Holder, next.AgentID, next.CredentialID = c.Holder, c.Holder.AgentID, c.Holder.CredentialID
			s.put(&next)
		}
		return enforce.ForcedOpenStays, nil
	case have != nil: // who is held already costs the budget nothing
		b.Strikes, b.Action = have.Strikes, max(have.Action, b.Action)
		if have.State == schema.BreakerHalfOpen {
			b.Strikes++
		}
	case d.Action > schema.ActionAnnotate && !s.afford(at.Time, c): // a note holds nobody
		b.Mode = schema.ModeWithheld
		return enforce.TripWithheld, s.record(at, b)
	case len(s.open) >= maxBreakers && poolOfBreaker(&b) == claimed && !s.drop(claimed):
		b.Mode = schema.ModeWithheld // a claimed caller takes no room of another
		return enforce.TripWithheld, s.record(at, b)
	default:
		for _, of := range s.strikes {
			if before, ok := of[k]; ok && at.Time < before.Until {
				b.Strikes = max(b.Strikes, before.N+1)
			}
		}
	}
	if b.TTL > 0 {
		b.TTL = min(b.TTL<<min(b.Strikes-1, maxDoublings), max(maxOpening, b.TTL))
		b.Expires = at.Time + b.TTL
	}
	return enforce.Applied, s.set(at, b)
}

// probe gives one read the right to pass. The generation makes sure that it is
// about the half-open state that the point saw.
func (s *State) probe(at enforce.LogPosition, c *schema.Command) enforce.ResultCode {
	have := s.open[keyOf(c.Tenant, c.Scope)]
	switch {
	case have == nil || have.State != schema.BreakerHalfOpen:
		return enforce.NoBreaker
	case c.IfMatch != have.Generation:
		return enforce.IfMatchFailed
	case !ProbeDue(have, at.Time):
		return enforce.ProbeNotDue
	}
	b := *have
	b.Probes, b.ProbeAt = have.Probes+1, at.Time
	s.put(&b)
	if b.Probes >= Probes {
		s.due.push(deadline{b.ProbeAt + quiet, b.Generation, keyOf(b.Tenant, b.Scope)}, poolOfBreaker(&b))
	}
	return enforce.Applied
}

// ProbeDue reports whether a half-open breaker lets another read through.
func ProbeDue(b *schema.Breaker, now int64) bool {
	return b.Probes < Probes && (b.ProbeAt == 0 || now >= b.ProbeAt+probeEvery)
}

// record keeps what opened nothing.
func (s *State) record(at enforce.LogPosition, b schema.Breaker) []schema.Event {
	b.State, b.Expires, b.Since, b.Generation = schema.BreakerClosed, 0, at.Time, at.Generation()
	s.note(&b)
	return []schema.Event{schema.BreakerEvent(&b)}
}

// set makes a breaker's new state.
func (s *State) set(at enforce.LogPosition, b schema.Breaker) []schema.Event {
	b.Since, b.Generation = at.Time, at.Generation()
	k := keyOf(b.Tenant, b.Scope)
	have := s.open[k]
	if b.HeldSince = at.Time; have != nil {
		b.HeldSince = heldSince(have)
	}
	if len(s.open) >= maxBreakers && have == nil && !s.drop(claimed) {
		s.drop(main)
	}
	s.put(&b)
	if b.Expires > 0 {
		s.due.push(deadline{b.Expires, b.Generation, k}, poolOfBreaker(&b))
	}
	s.note(&b)
	return []schema.Event{schema.BreakerEvent(&b)}
}

// put replaces what stands of a scope.
func (s *State) put(b *schema.Breaker) {
	k := keyOf(b.Tenant, b.Scope)
	s.take(k)
	s.open[k] = b
	s.keepRoute(b)
	s.index(b)
}

func (s *State) take(k key) {
	if b := s.open[k]; b != nil {
		delete(s.open, k)
		s.dropRoute(b)
		s.unindex(b)
	}
}

func (s *State) close(at enforce.LogPosition, have *schema.Breaker, origin, by, reason string) []schema.Event {
	k := keyOf(have.Tenant, have.Scope)
	if have.Strikes > 0 && origin != "operator" {
		of := s.strikes[poolOfBreaker(have)]
		if len(of) >= maxStrikes {
			forgetStrikes(of, at.Time)
		}
		of[k] = strike{have.Strikes, at.Time + 4*max(have.TTL, int64(time.Minute))}
	}
	b := *have
	b.State, b.Origin, b.By, b.Reason, b.Expires, b.Since, b.Generation = schema.BreakerClosed, origin, by, reason, 0, at.Time, at.Generation()
	s.take(k)
	s.note(&b)
	return []schema.Event{schema.BreakerEvent(&b)}
}

func forgetStrikes(of map[key]strike, now int64) {
	for k, v := range of {
		if now >= v.Until {
			delete(of, k)
		}
	}
	if len(of) >= maxStrikes {
		clear(of) // more than this are an attack: the next trip is a first one again
	}
}

// drop makes room: the automatic breaker of a pool whose time comes first goes. It
// reports whether there was one.
func (s *State) drop(p pool) bool {
	for {
		d, ok := s.due.popOf(p)
		if !ok {
			return false
		}
		if b := s.open[d.k]; b != nil && b.Generation == d.generation && b.State != schema.BreakerForcedOpen {
			s.take(d.k)
			return true
		}
	}
}

func (s *State) note(b *schema.Breaker) {
	p, most := poolOfBreaker(b), maxHistory
	if p == claimed {
		most = maxClaimedHistory
	}
	if len(s.history[p]) >= most {
		s.history[p] = slices.Clone(s.history[p][most/10:])
	}
	s.history[p] = append(s.history[p], b)
}

// Pass lets the log's clock do what is due by a moment.
func (s *State) Advance(at enforce.LogPosition) []schema.Event {
	var out []schema.Event
	for s.due.reached(at.Time) {
		d, _ := s.due.pop()
		b := s.open[d.k]
		if b == nil || b.Generation != d.generation {
			continue // reset or replaced meanwhile
		}
		switch {
		case b.State == schema.BreakerHalfOpen && b.Probes >= Probes && at.Time >= b.ProbeAt+quiet:
			out = append(out, s.close(at, b, "probes", "", "the probes were clean")...)
		case b.State == schema.BreakerHalfOpen && b.Probes >= Probes:
			s.due.push(deadline{b.ProbeAt + quiet, b.Generation, d.k}, poolOfBreaker(b))
		case b.State == schema.BreakerHalfOpen:
			out = append(out, s.close(at, b, "dormant", "", "nobody has asked for a day")...)
		case b.State == schema.BreakerOpen && b.Action == schema.ActionDeny:
			half := *b
			half.State, half.Origin, half.Expires, half.Probes, half.ProbeAt = schema.BreakerHalfOpen, "ttl", at.Time+dormant, 0, 0
			out = append(out, s.set(at, half)...)
		default:
			out = append(out, s.close(at, b, "ttl", "", "its time is over")...)
		}
	}
	return append(out, s.expireBypasses(at)...)
}

// OpenCount is how many breakers are not closed.
func (s *State) OpenCount() int { return len(s.open) }

// Breakers that are not closed, the latest first.
func (s *State) Breakers() []*schema.Breaker {
	out := make([]*schema.Breaker, 0, len(s.open))
	for _, b := range s.open {
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b *schema.Breaker) int {
		return cmp.Or(cmp.Compare(b.Generation, a.Generation), cmp.Compare(a.Scope.String(), b.Scope.String()))
	})
	return out
}

// History is the last states of breakers, the latest first.
func (s *State) History() []*schema.Breaker {
	out := s.historyInOrder()
	slices.Reverse(out)
	return out
}

// historyInOrder is the history of all pools, the oldest first.
func (s *State) historyInOrder() []*schema.Breaker {
	out := slices.Concat(s.history[:]...)
	slices.SortStableFunc(out, func(a, b *schema.Breaker) int { return cmp.Compare(a.Generation, b.Generation) })
	return out
}
