package breaker

import (
	"time"

	"flyball/schema"
)

// Budget bounds automatic trips of a tenant. Beyond it a trip is withheld: a
// page, and no breaker.
type Budget struct {
	PerHour int // within the last hour of the log's clock
	// Percent of the tenant's active agents, at least one agent. Trips of callers of a
	// claimed identity have no such share: anybody can invent agents to be a share of.
	Percent int
}

// DefaultBudget is what a healthy business survives at 3 a.m.
func DefaultBudget() Budget { return Budget{PerHour: 5, Percent: 10} }

// BudgetFor a tenant: what the log says of it, else the one that the state began with.
func (s *State) BudgetFor(tenant string) Budget {
	if b, ok := s.budgets[tenant]; ok {
		return b
	}
	return s.Budget
}

// SetBudget of a tenant, by a command of the log.
func (s *State) SetBudget(tenant string, b Budget) { s.budgets[tenant] = b }

const hour = int64(time.Hour)

type trip struct {
	At    int64  `json:"at_ns"`
	Agent string `json:"agent"`
}

// spending is a tenant's trips within the last hour, the oldest first.
type spending struct {
	list   []trip
	agents map[string]int // trips of each agent in the list
	active int            // agents that were active at the last trip
}

func (s *spending) forget(now int64) {
	n := 0
	for ; n < len(s.list) && s.list[n].At <= now-hour; n++ {
		who := s.list[n].Agent
		if s.agents[who]--; s.agents[who] == 0 {
			delete(s.agents, who)
		}
	}
	s.list = s.list[n:]
}

func (s *spending) add(t trip) {
	s.list = append(s.list, t)
	s.agents[t.Agent]++
}

func (s *State) spendingOf(tenant string) *spending {
	p := s.trips[tenant]
	if p == nil {
		p = &spending{agents: map[string]int{}}
		s.trips[tenant] = p
	}
	return p
}

// holdsSuffix is what is appended to a tenant's name for its spending on automatic
// gates: what only asks has a budget of its own, of the same size, and leaves that of
// trips. claimedSuffix is appended for trips, or gates, of callers of a claimed
// identity: as many an hour again, which take nothing from the others.
const (
	holdsSuffix   = "\x00holds"
	claimedSuffix = "\x00claimed"
)

func budgetName(tenant string, p pool, holds bool) string {
	if p == claimed {
		tenant += claimedSuffix
	}
	if holds {
		tenant += holdsSuffix
	}
	return tenant
}

// afford spends the tenant's budget of automatic trips, or of automatic gates.
func (s *State) afford(now int64, c *schema.Command) bool {
	of := poolOf(c.Holder)
	p := s.spendingOf(budgetName(c.Tenant, of, c.Decision.Action == schema.ActionGate))
	p.forget(now)
	p.active = c.ActiveAgents
	who := c.Decision.AgentID
	if who == "" {
		who = c.Scope.String()
	}
	agents := len(p.agents)
	if p.agents[who] == 0 {
		agents++
	}
	b := s.BudgetFor(c.Tenant)
	if len(p.list) >= b.PerHour || of == main && agents > max(1, c.ActiveAgents*b.Percent/100) {
		return false
	}
	p.add(trip{now, who})
	return true
}

// BudgetUsage is how much of a budget is gone.
type BudgetUsage struct {
	Trips  int `json:"trips"` // within the last hour
	Of     int `json:"of"`
	Agents int `json:"agents"` // tripped within the last hour
	// OfAgents is how many agents may be, by the number that was active at the last trip.
	OfAgents int `json:"of_agents"`
	Withheld int `json:"withheld"` // trips beyond the budget, of those that are remembered
	// Gates are automatic holds that only ask; Claimed and ClaimedGates are the pools of
	// callers of a claimed identity. Each has a budget of the same size an hour.
	Gates        PoolUsage `json:"gates"`
	Claimed      PoolUsage `json:"claimed"`
	ClaimedGates PoolUsage `json:"claimed_gates"`
}

// PoolUsage is how much of a pool beside the main one is gone.
type PoolUsage struct {
	Trips    int `json:"trips"` // within the last hour
	Of       int `json:"of"`
	Withheld int `json:"withheld,omitempty"` // of those that are remembered; gates count with the trips
}

// BudgetUsage of a tenant's budget as of now.
func (s *State) BudgetUsage(tenant string, now int64) BudgetUsage {
	b := s.BudgetFor(tenant)
	out := BudgetUsage{Of: b.PerHour, OfAgents: 1, Withheld: s.withheld(main, tenant, now),
		Gates:        PoolUsage{Of: b.PerHour, Trips: s.tripsOf(budgetName(tenant, main, true), now)},
		Claimed:      PoolUsage{Of: b.PerHour, Trips: s.tripsOf(budgetName(tenant, claimed, false), now)},
		ClaimedGates: PoolUsage{Of: b.PerHour, Trips: s.tripsOf(budgetName(tenant, claimed, true), now)}}
	out.Claimed.Withheld = s.withheld(claimed, tenant, now)
	if p := s.trips[tenant]; p != nil {
		agents := map[string]bool{}
		for _, t := range p.list {
			if t.At > now-hour {
				out.Trips++
				agents[t.Agent] = true
			}
		}
		out.Agents, out.OfAgents = len(agents), max(1, p.active*b.Percent/100)
	}
	return out
}

func (s *State) tripsOf(name string, now int64) (n int) {
	if p := s.trips[name]; p != nil {
		for _, t := range p.list {
			if t.At > now-hour {
				n++
			}
		}
	}
	return n
}

func (s *State) withheld(p pool, tenant string, now int64) (n int) {
	for _, b := range s.history[p] {
		if b.Tenant == tenant && b.Mode == schema.ModeWithheld && b.Since > now-hour {
			n++
		}
	}
	return n
}
