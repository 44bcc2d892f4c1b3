package breaker

import (
	"cmp"
	"slices"

	"flyball/schema"
)

// Snapshot is the stored form of a State.
type Snapshot struct {
	Breakers []*schema.Breaker `json:"breakers"`
	Bypasses []schema.Bypass   `json:"bypasses"` // of tenants
	// AgentBypasses are stored separately: an old binary that does not have them must not read one
	// as the bypass of a tenant.
	AgentBypasses []schema.Bypass `json:"agent_bypasses,omitempty"`

	Trips   map[string][]trip `json:"trips"`
	Active  map[string]int    `json:"active,omitempty"` // active agents at a tenant's last trip
	Strikes []struckScope     `json:"strikes,omitempty"`
	History []*schema.Breaker `json:"history"`
}

type struckScope struct {
	Tenant  string       `json:"tenant"`
	Scope   schema.Scope `json:"scope"`
	Claimed bool         `json:"claimed,omitempty"` // of a caller with a claimed identity
	strike
}

// Snapshot returns everything that a restart needs. It shares only data that never changes.
func (s *State) Snapshot() *Snapshot {
	out := &Snapshot{Breakers: s.Breakers(), Trips: map[string][]trip{}, Active: map[string]int{}, History: s.historyInOrder()}
	for tenant, p := range s.trips {
		out.Trips[tenant], out.Active[tenant] = slices.Clone(p.list), p.active
	}
	for p, of := range s.strikes {
		for k, v := range of {
			out.Strikes = append(out.Strikes, struckScope{k.tenant, k.scope, pool(p) == claimed, v})
		}
	}
	for k, b := range s.bypass {
		if k.agent == "" {
			out.Bypasses = append(out.Bypasses, b)
		} else {
			out.AgentBypasses = append(out.AgentBypasses, b)
		}
	}
	return out
}

// Restore returns the state of a snapshot. The caller applies the later commands of the log.
func Restore(b Budget, from *Snapshot) *State {
	s := New(b)
	for _, x := range from.History {
		p := poolOfBreaker(x)
		s.history[p] = append(s.history[p], x)
	}
	slices.SortFunc(from.Breakers, func(a, b *schema.Breaker) int { return cmp.Compare(a.Generation, b.Generation) })
	for _, x := range from.Breakers {
		s.put(x)
		if x.Expires > 0 {
			s.due.push(deadline{x.Expires, x.Generation, keyOf(x.Tenant, x.Scope)}, poolOfBreaker(x))
		}
		if x.State == schema.BreakerHalfOpen && x.Probes >= maxProbes {
			s.due.push(deadline{x.ProbeAt + probeObservation, x.Generation, keyOf(x.Tenant, x.Scope)}, poolOfBreaker(x))
		}
	}
	for _, x := range slices.Concat(from.Bypasses, from.AgentBypasses) {
		s.bypass[bypassed{x.Tenant, x.Agent}] = x
	}
	for _, x := range from.Strikes {
		p := main
		if x.Claimed {
			p = claimed
		}
		s.strikes[p][keyOf(x.Tenant, x.Scope)] = x.strike
	}
	for tenant, list := range from.Trips {
		p := s.spendingFor(tenant)
		p.active = from.Active[tenant]
		for _, t := range list {
			p.add(t)
		}
	}
	return s
}
