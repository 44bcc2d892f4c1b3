package backtest

import (
	"cmp"
	"slices"

	"flyball/detect/enforce/breaker"
	"flyball/detect/learn"
	"flyball/schema"
)

// hold is a breaker that a decision would have opened, for the decision's time. What
// comes after that time (probes, openings that last longer each time) is left out: it
// depends on what a caller does who was stopped, and history does not say that.
type hold struct {
	trip     *Trip
	run      schema.RunID // that led to it, by its n-th call
	call     uint64
	from, to int64 // event time, Unix ns
	action   schema.Action
	agent    string // established, whose run it is; empty: none
	armed    bool
	passed   map[int64]int // of a throttle: calls that passed, by interval
}

// throttleRate is what a throttle lets pass at one point.
type throttleRate struct {
	every int64 // ns
	calls int
}

// paceOf is the pace of so many calls a second.
func paceOf(perSecond float64) throttleRate {
	calls := max(1, int(perSecond))
	return throttleRate{int64(float64(calls) / max(perSecond, 1e-3) * 1e9), calls}
}

// stops reports whether the hold would have stopped a call that it covers.
func (h *hold) stops(c *learn.StoredCall, p throttleRate) bool {
	switch h.action {
	case schema.ActionDeny:
		return true
	case schema.ActionGate:
		return breaker.Risky(c.Reversibility)
	case schema.ActionThrottle:
		if h.passed == nil {
			h.passed = map[int64]int{}
		}
		at := (c.Stored.Start - h.from) / p.every
		h.passed[at]++
		return h.passed[at] > p.calls
	}
	return false
}

// includes reports whether a call, the n-th of its run, came within the hold's time.
func (h *hold) includes(c *learn.StoredCall, n uint64) bool {
	at := c.Stored.Start
	if c.Of.RunID == h.run {
		return n > h.call && at >= h.from && at < h.to
	}
	return at > h.from && at < h.to
}

// established is the name of an agent that somebody vouches for, and empty of others.
func established(agent string, trust schema.Trust) string {
	if trust < schema.TrustInfrastructure {
		return ""
	}
	return agent
}

// holds of one configuration, by what they are set on.
type holds struct {
	on map[schema.Scope]*timeline
	// besides is by whom they also hold in new runs: a credential or an established
	// agent, as breakers do; see breaker.HeldBesides.
	besides map[schema.Scope]*timeline
}

// timeline is holds in the order of their beginning; longest is of the longest.
type timeline struct {
	list    []*hold
	longest int64
}

func newHolds() holds {
	return holds{map[schema.Scope]*timeline{}, map[schema.Scope]*timeline{}}
}

// add opens the breakers of a decision. One that only annotates opens none.
func (h *holds) add(d *schema.Decision, m *moment, t *Trip) {
	if d.Action < schema.ActionThrottle || d.Scope.Kind == schema.ScopeNone {
		return
	}
	x := &hold{trip: t, run: d.RunID, call: m.call, from: d.At, to: d.At + d.TTL, action: d.Action, armed: d.Mode == schema.ModeArmed,
		agent: established(d.AgentID, m.in.Run.AgentTrust)}
	sc := d.Scope
	if sc.Kind == schema.ScopeRun { // whichever of its two ids the scope names
		sc.Value = d.RunID.String()
		if d.CredentialID != "" {
			put(h.besides, schema.Scope{Kind: schema.ScopeCredential, Value: d.CredentialID}, x)
		}
	}
	if x.agent != "" && (sc.Kind == schema.ScopeRun || sc.Kind == schema.ScopeCredential) {
		put(h.besides, schema.Scope{Kind: schema.ScopeAgent, Value: x.agent}, x)
	}
	put(h.on, sc, x)
}

func put[K comparable](m map[K]*timeline, k K, x *hold) {
	t := m[k]
	if t == nil {
		t = &timeline{}
		m[k] = t
	}
	t.list, t.longest = append(t.list, x), max(t.longest, x.to-x.from)
}

func (h *holds) sort() {
	order := func(t *timeline) {
		slices.SortStableFunc(t.list, func(a, b *hold) int { return cmp.Compare(a.from, b.from) })
	}
	for _, t := range h.on {
		order(t)
	}
	for _, t := range h.besides {
		order(t)
	}
}

// each calls do with the holds that may cover a time.
func (t *timeline) each(at int64, do func(*hold)) {
	if t == nil {
		return
	}
	end, _ := slices.BinarySearchFunc(t.list, at+1, func(x *hold, at int64) int { return cmp.Compare(x.from, at) })
	for i := end - 1; i >= 0 && t.list[i].from > at-t.longest; i-- {
		do(t.list[i])
	}
}

// deciding is the hold that decides about a call: the most severe one, the first among
// equals. armed is that among the enforced ones, would that among all.
func (h *holds) deciding(c *learn.StoredCall, n uint64) (armed, would *hold) {
	harder := func(than, x *hold) bool {
		return than == nil || x.action > than.action || x.action == than.action && x.from < than.from
	}
	take := func(x *hold) {
		if !x.includes(c, n) {
			return
		}
		if harder(would, x) {
			would = x
		}
		if x.armed && harder(armed, x) {
			armed = x
		}
	}
	of, at := c.Of, c.Stored.Start
	look := func(kind schema.ScopeKind, value string) {
		if value != "" {
			h.on[schema.Scope{Kind: kind, Value: value}].each(at, take)
		}
	}
	look(schema.ScopeRun, of.RunID.String())
	look(schema.ScopeCredential, of.CredentialID)
	agent := established(of.AgentID, of.AgentTrust)
	look(schema.ScopeAgent, agent)
	if c.Stored.ClientIP.IsValid() && agent == "" { // who has a better name is not held by an address
		look(schema.ScopeAddress, c.Stored.ClientIP.Unmap().String())
	}
	besides := func(kind schema.ScopeKind, value string) {
		if value == "" {
			return
		}
		h.besides[schema.Scope{Kind: kind, Value: value}].each(at, func(x *hold) {
			another := agent != "" && x.agent != "" && agent != x.agent // that shares the credential
			if x.run != of.RunID && of.StartedAt >= x.from && !another {
				take(x)
			}
		})
	}
	besides(schema.ScopeCredential, of.CredentialID)
	besides(schema.ScopeAgent, agent)
	return armed, would
}
