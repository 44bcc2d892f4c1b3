package ledger

import (
	"maps"
	"slices"
	"strconv"

	"flyball/detect/enforce"
	"flyball/detect/enforce/breaker"
	"flyball/schema"
)

const (
	maxTripsPerHour = 1<<31 - 1
	// maxSettings bounds the tenants with settings.
	maxSettings = 10_000
)

// TenantSettings holds the settings in force in a tenant, with the command that last changed them.
type TenantSettings struct {
	Tenant        string `json:"tenant"`
	TripsPerHour  int    `json:"trips_per_hour"`
	AgentsPercent int    `json:"agents_percent"`
	By            string `json:"by,omitempty"`
	Reason        string `json:"reason,omitempty"`
	At            int64  `json:"at_ns,omitempty"` // the log's clock, Unix ns
	// Generation of the command's record; 0: there was no command for the tenant, and the values
	// are the defaults.
	Generation uint64 `json:"generation"`
}

// settings is the state machine of settings.
type settings struct {
	breakers *breaker.State // the settings set its budgets
	byTenant map[string]TenantSettings
}

func newSettings(b *breaker.State) *settings {
	return &settings{breakers: b, byTenant: map[string]TenantSettings{}}
}

func (m *settings) get(tenant string) TenantSettings {
	if have, ok := m.byTenant[tenant]; ok {
		return have
	}
	b := m.breakers.BudgetFor(tenant)
	return TenantSettings{Tenant: tenant, TripsPerHour: b.PerHour, AgentsPercent: b.Percent}
}

// Apply puts settings in force. Initial settings, which a point writes from its configuration,
// apply only if the tenant has none.
func (m *settings) Apply(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	_, exists := m.byTenant[c.Tenant]
	detail := checkSettings(c)
	switch {
	case detail != "":
		return enforce.Result{Code: enforce.Rejected, Detail: detail}, nil
	case c.Settings.Initial && exists:
		return enforce.Result{Code: enforce.SettingsExist}, nil
	case !exists && len(m.byTenant) >= maxSettings:
		return enforce.Result{Code: enforce.Rejected,
			Detail: "settings of " + strconv.Itoa(maxSettings) + " tenants are kept, and of no further one"}, nil
	}
	next := m.get(c.Tenant)
	if c.Settings.TripsPerHour != nil {
		next.TripsPerHour = *c.Settings.TripsPerHour
	}
	if c.Settings.AgentsPercent != nil {
		next.AgentsPercent = *c.Settings.AgentsPercent
	}
	next.By, next.Reason, next.At, next.Generation = c.By, c.Reason, at.Time, at.Generation()
	m.put(next)
	return enforce.Result{Code: enforce.InForce, Ref: c.Tenant}, nil
}

// checkSettings returns what is wrong with a command about settings, or "".
func checkSettings(c *schema.Command) string {
	n := c.Settings
	switch {
	case n == nil || n.TripsPerHour == nil && n.AgentsPercent == nil:
		return "no settings in the command"
	case c.Reason == "":
		return "no reason in the command"
	case n.TripsPerHour != nil && (*n.TripsPerHour < 0 || *n.TripsPerHour > maxTripsPerHour):
		return "trips_per_hour is 0 to " + strconv.Itoa(maxTripsPerHour)
	case n.AgentsPercent != nil && (*n.AgentsPercent < 0 || *n.AgentsPercent > 100):
		return "agents_percent is 0 to 100"
	}
	return ""
}

func (m *settings) put(v TenantSettings) {
	m.byTenant[v.Tenant] = v
	m.breakers.SetBudget(v.Tenant, breaker.Budget{PerHour: v.TripsPerHour, Percent: v.AgentsPercent})
}

// snapshot returns all settings, the tenants in any order.
func (m *settings) snapshot() []TenantSettings { return slices.Collect(maps.Values(m.byTenant)) }
