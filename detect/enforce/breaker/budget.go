package breaker

import (
	"time"

	"flyball/schema"
)

// Budget bounds the automatic trips of a tenant. A trip above it is withheld: people are notified,
// and no breaker opens.
type Budget struct {
	PerHour int // within the last hour of the log's clock
	// Percent of the tenant's active agents that may be tripped within an hour, at least one agent.
	// It does not bound callers with a claimed identity, because a client can invent any number of
	// agents.
	Percent int
}

// DefaultBudget returns a budget that a healthy business can tolerate without a person on duty.
func DefaultBudget() Budget { return Budget{PerHour: 5, Percent: 10} }

// tenantBudgets holds the budgets of all tenants, and what is spent of them.
type tenantBudgets struct {
	Budget  Budget               // of tenants for which the log sets none
	budgets map[string]Budget    // by tenant
	trips   map[string]*spending // by tenant and pool; see budgetName
}

// BudgetFor returns the budget of a tenant: the one set in the log, else the default of the state.
func (s *tenantBudgets) BudgetFor(tenant string) Budget {
	if b, ok := s.budgets[tenant]; ok {
		return b
	}
	return s.Budget
}

// SetBudget sets the budget of a tenant, from a command of the log.
func (s *tenantBudgets) SetBudget(tenant string, b Budget) { s.budgets[tenant] = b }

const hour = int64(time.Hour)

type trip struct {
	At    int64  `json:"at_ns"`
	Agent string `json:"agent"`
}

// spending holds the trips of a tenant's pool within the last hour, the oldest first.
type spending struct {
	list   []trip
	agents map[string]int // trips of each agent in the list
	active int            // active agents of the tenant at the last trip
}

// removeOld removes trips that are older than an hour.
func (s *spending) removeOld(now int64) {
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

// count returns how many trips are in the last hour.
func (s *spending) count(now int64) (n int) {
	if s == nil {
		return 0
	}
	for _, t := range s.list {
		if t.At > now-hour {
			n++
		}
	}
	return n
}

func (s *tenantBudgets) spendingFor(name string) *spending {
	p := s.trips[name]
	if p == nil {
		p = &spending{agents: map[string]int{}}
		s.trips[name] = p
	}
	return p
}

// Suffixes of a tenant's name for further budgets next to the budget of its trips. Each has the
// same size and takes nothing from the others.
const (
	gatesSuffix   = "\x00holds"   // breakers with action gate: they only ask for approval
	claimedSuffix = "\x00claimed" // callers of a claimed identity
)

func budgetName(tenant string, p pool, gates bool) string {
	if p == claimed {
		tenant += claimedSuffix
	}
	if gates {
		tenant += gatesSuffix
	}
	return tenant
}

// spend counts a trip against its budget, and reports whether the budget allows it.
func (s *tenantBudgets) spend(now int64, c *schema.Command) bool {
	if c.Tenant == schema.CanaryTenant {
		return true // a receipt of the deployment puts calls there, nobody else can
	}
	of := poolOf(c.Holder)
	p := s.spendingFor(budgetName(c.Tenant, of, c.Decision.Action == schema.ActionGate))
	p.removeOld(now)
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

// BudgetUsage reports how much of a tenant's budgets is spent.
type BudgetUsage struct {
	Trips  int `json:"trips"`  // within the last hour
	Of     int `json:"of"`     // maximum
	Agents int `json:"agents"` // tripped within the last hour
	// OfAgents is how many agents may be tripped, from the number of active agents at the last
	// trip.
	OfAgents int `json:"of_agents"`
	Withheld int `json:"withheld"` // trips above the budget, of those in the history
	// Gates counts breakers with action gate. Claimed and ClaimedGates count those of callers with
	// a claimed identity.
	Gates        PoolUsage `json:"gates"`
	Claimed      PoolUsage `json:"claimed"`
	ClaimedGates PoolUsage `json:"claimed_gates"`
}

// PoolUsage reports how much of a further budget is spent.
type PoolUsage struct {
	Trips    int `json:"trips"`              // within the last hour
	Of       int `json:"of"`                 // maximum
	Withheld int `json:"withheld,omitempty"` // of those in the history; those of gates are counted with the trips
}

// BudgetUsage returns how much of a tenant's budgets is spent at a time.
func (s *State) BudgetUsage(tenant string, now int64) BudgetUsage {
	b := s.BudgetFor(tenant)
	use := func(p pool, gates bool) PoolUsage {
		return PoolUsage{Of: b.PerHour, Trips: s.trips[budgetName(tenant, p, gates)].count(now)}
	}
	out := BudgetUsage{Of: b.PerHour, OfAgents: 1, Withheld: s.withheld(main, tenant, now),
		Gates: use(main, true), Claimed: use(claimed, false), ClaimedGates: use(claimed, true)}
	out.Claimed.Withheld = s.withheld(claimed, tenant, now)
	if p := s.trips[tenant]; p != nil {
		agents := map[string]bool{}
		for _, t := range p.list {
			if t.At > now-hour {
				agents[t.Agent] = true
			}
		}
		out.Trips, out.Agents, out.OfAgents = p.count(now), len(agents), max(1, p.active*b.Percent/100)
	}
	return out
}
