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

// BudgetOf a tenant: what the log says of it, else the one that the state began with.
func (s *State) BudgetOf(tenant string) Budget {
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

// holds is what is appended to a tenant's name for its spending on automatic gates:
// what only asks has a budget of its own, of the same size, and leaves that of trips.
const holds = "\x00holds"

// afford spends the tenant's budget of automatic trips, or of automatic gates.
func (s *State) afford(now int64, c *schema.Command) bool {
	pool := c.Tenant
	if c.Decision.Action == schema.ActionGate {
		pool += holds
	}
	p := s.spendingOf(pool)
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
	if b := s.BudgetOf(c.Tenant); len(p.list) >= b.PerHour || agents > max(1, c.ActiveAgents*b.Percent/100) {
		return false
	}
	p.add(trip{now, who})
	return true
}

// Spent is how much of a budget is gone.
type Spent struct {
	Trips  int `json:"trips"` // within the last hour
	Of     int `json:"of"`
	Agents int `json:"agents"` // tripped within the last hour
	// OfAgents is how many agents may be, by the number that was active at the last trip.
	OfAgents int `json:"of_agents"`
	Withheld int `json:"withheld"` // trips beyond the budget, of those that are remembered
}

// Spent of a tenant's budget as of now.
func (s *State) Spent(tenant string, now int64) Spent {
	b := s.BudgetOf(tenant)
	out := Spent{Of: b.PerHour, OfAgents: 1}
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
	for _, b := range s.history {
		if b.Tenant == tenant && b.Mode == schema.ModeWithheld && b.Since > now-hour {
			out.Withheld++
		}
	}
	return out
}
