package app

import (
	"time"

	"flyball/alerts/incident"
	"flyball/alerts/live"
	"flyball/cmd/internal/config"
	"flyball/detect/enforce/api"
	"flyball/schema"
)

// NewFold returns a function that makes the Fold of a receiver; an empty name is that of a reader to
// which all incidents are routed.
func NewFold(c config.Config, registry incident.Registry, key schema.Secret, receiver string) func() *incident.Fold {
	routes := c.Alerts.Table(registry)
	return func() *incident.Fold {
		f := incident.NewFold()
		f.Receiver, f.Registry, f.Bounds = receiver, registry, c.Alerts.Grouping.Bounds()
		if receiver == "" {
			return f
		}
		f.Route, f.Remind = routes.Find, time.Duration(c.Alerts.RemindAfter)
		f.Link = func(approval string, until int64) string {
			return api.ApprovalLink(key, c.Control.PublicURL, approval, until)
		}
		f.AckLink = func(tenant, id, notification string, until int64) string {
			return api.AckLink(key, c.Control.PublicURL, tenant, id, notification, until)
		}
		return f
	}
}

// RegistryOf returns what the configuration says about agents, for routes and silences.
func RegistryOf(c config.Config) incident.Registry { return newRegistry(c).forAlerts() }

// forAlerts returns owners and tags of agents. They are read again when the file changes.
func (r *registry) forAlerts() incident.Registry {
	return incident.Registry{Owner: func(agent string) string { return r.agent(agent).Owner }, Tags: r.tags}
}

// openIncidents serves the open incidents to the operators' API.
type openIncidents struct{ *live.View }

func (o openIncidents) List(tenant string) ([]api.IncidentLine, error) {
	lines, err := o.View.List(tenant)
	return incidentLines(lines), err
}

func (o openIncidents) Find(tenant, term string) ([]api.IncidentLine, error) {
	lines, err := o.View.Find(tenant, term)
	return incidentLines(lines), err
}

func incidentLines(lines []incident.Line) []api.IncidentLine {
	out := make([]api.IncidentLine, 0, len(lines))
	for i := range lines {
		l := &lines[i]
		if l.Tenant == schema.CanaryTenant {
			continue
		}
		line := api.IncidentLine{ID: l.ID, Tenant: l.Tenant, State: l.State, Level: l.Level, By: l.By, Family: l.Family, Agent: l.Agent,
			Runs: l.Runs, Findings: l.Findings, Denied: l.Denied, Opened: l.OpenedAt.Format(time.RFC3339Nano),
			Updated: l.Updated.Format(time.RFC3339Nano), Summary: l.Summary, Silence: l.Silence, Worst: []api.IncidentMember{}}
		if a := l.Acknowledged; a != nil {
			line.AcknowledgedBy, line.AcknowledgedAt, line.Why = a.By, a.At.Format(time.RFC3339Nano), a.Reason
		}
		for _, m := range l.Worst {
			line.Worst = append(line.Worst, api.IncidentMember{Finding: m.Finding, RunID: m.RunID.String(), Agent: m.AgentID, Family: m.Family,
				Level: m.Level.String()})
		}
		out = append(out, line)
	}
	return out
}
