package ledger

import (
	"maps"
	"strconv"

	"flyball/detect/enforce"
	"flyball/detect/enforce/breaker"
	"flyball/schema"
)

const (
	maxTripsPerHour = 1<<31 - 1
	// maxSettings bounds the tenants that settings are kept of.
	maxSettings = 10_000
)

// TenantSettings is what is in force for a tenant, with the command that said it last.
type TenantSettings struct {
	Tenant        string `json:"tenant"`
	TripsPerHour  int    `json:"trips_per_hour"`
	AgentsPercent int    `json:"agents_percent"`
	By            string `json:"by,omitempty"`
	Reason        string `json:"reason,omitempty"`
	At            int64  `json:"at_ns,omitempty"` // the log's clock, Unix ns
	// Generation is the offset in flyball.commands of the record, plus one; 0: the log
	// says nothing of the tenant, and the values are those that hold until it does.
	Generation uint64 `json:"generation"`
}

// Settings a tenant.
func (s *State) Settings(tenant string) TenantSettings {
	if have, ok := s.settings[tenant]; ok {
		return have
	}
	b := s.Breakers.BudgetFor(tenant)
	return TenantSettings{Tenant: tenant, TripsPerHour: b.PerHour, AgentsPercent: b.Percent}
}

// set takes in settings. The audit trail holds who said them, and why.
func (s *State) set(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	n := c.Settings
	have, said := s.settings[c.Tenant]
	switch {
	case n == nil || n.TripsPerHour == nil && n.AgentsPercent == nil:
		return enforce.Result{Code: enforce.Rejected, Detail: "no settings in the command"}, nil
	case c.Reason == "":
		return enforce.Result{Code: enforce.Rejected, Detail: "no reason in the command"}, nil
	case n.TripsPerHour != nil && (*n.TripsPerHour < 0 || *n.TripsPerHour > maxTripsPerHour):
		return enforce.Result{Code: enforce.Rejected, Detail: "trips_per_hour is 0 to " + strconv.Itoa(maxTripsPerHour)}, nil
	case n.AgentsPercent != nil && (*n.AgentsPercent < 0 || *n.AgentsPercent > 100):
		return enforce.Result{Code: enforce.Rejected, Detail: "agents_percent is 0 to 100"}, nil
	case n.Initial && said:
		return enforce.Result{Code: enforce.SettingsExist}, nil
	case !said && len(s.settings) >= maxSettings:
		return enforce.Result{Code: enforce.Rejected, Detail: "settings are kept of as many tenants as can be"}, nil
	}
	if !said {
		have = s.Settings(c.Tenant)
	}
	if n.TripsPerHour != nil {
		have.TripsPerHour = *n.TripsPerHour
	}
	if n.AgentsPercent != nil {
		have.AgentsPercent = *n.AgentsPercent
	}
	have.By, have.Reason, have.At, have.Generation = c.By, c.Reason, at.Time, at.Generation()
	s.put(have)
	return enforce.Result{Code: enforce.InForce, Ref: c.Tenant}, nil
}

func (s *State) put(v TenantSettings) {
	s.settings[v.Tenant] = v
	s.Breakers.SetBudget(v.Tenant, breaker.Budget{PerHour: v.TripsPerHour, Percent: v.AgentsPercent})
}

// settingsSnapshot is what is in force, the tenants in any order.
func (s *State) settingsSnapshot() []TenantSettings {
	out := make([]TenantSettings, 0, len(s.settings))
	for v := range maps.Values(s.settings) {
		out = append(out, v)
	}
	return out
}
