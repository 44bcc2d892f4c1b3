package config

import (
	"slices"
	"time"

	"flyball/alerts/incident"
)

// Alerts configures the role alert. Without routes every receiver gets a page for every
// finding of level alert or higher.
type Alerts struct {
	Receivers []Receiver   `yaml:"receivers"`
	Routes    []AlertRoute `yaml:"routes"`
	Grouping  Grouping     `yaml:"grouping"`
	// RemindAfter is the pause before the first reminder of an open incident at level trip of which no
	// breaker denies calls; the pauses double, up to a day. 0: no reminders.
	RemindAfter Duration `yaml:"remind_after"`
}

// Grouping bounds the incidents that are opened in a window.
type Grouping struct {
	Window  Duration `yaml:"window"`
	Agents  int      `yaml:"agents"`  // agents with an incident of their own; one of the tenant counts those after them
	Claimed int      `yaml:"claimed"` // the same for callers whose name is only claimed, or that have none
	// Gates are the calls of agents that wait for approval and have a page of their own, at most a quarter of
	// them of one agent; one page counts those after them.
	Gates int `yaml:"gates"`
}

func defaultGrouping() Grouping {
	b := incident.DefaultBounds()
	return Grouping{Window: Duration(b.Window), Agents: b.Agents, Claimed: b.Claimed, Gates: b.Gates}
}

// Bounds returns the values for the role alert.
func (g Grouping) Bounds() incident.Bounds {
	return incident.Bounds{Window: time.Duration(g.Window), Agents: g.Agents, Claimed: g.Claimed, Gates: g.Gates}
}

func (g Grouping) validate(p *problems) {
	if w := time.Duration(g.Window); w < time.Second || w > time.Hour {
		p.add("alerts.grouping.window: %s must be from 1s to 1h", g.Window)
	}
	if g.Agents < 1 {
		p.add("alerts.grouping.agents: %d must be at least 1", g.Agents)
	}
	if g.Claimed < 1 {
		p.add("alerts.grouping.claimed: %d must be at least 1", g.Claimed)
	}
	if g.Gates < 1 {
		p.add("alerts.grouping.gates: %d must be at least 1", g.Gates)
	}
}

func (a Alerts) validate(p *problems) {
	a.Grouping.validate(p)
	var names []string
	for i, r := range a.Receivers {
		if slices.Contains(names, r.Name) {
			p.add("alerts.receivers[%d].name: %q is taken", i, r.Name)
		}
		names = append(names, r.Name)
		r.validate(p, i)
	}
	a.validateRoutes(p, names)
	if slices.Contains(names, Nobody) {
		p.add("alerts.receivers: the name %s is that of nobody, in routes; choose another one", Nobody)
	}
	if d := time.Duration(a.RemindAfter); d != 0 && (d < time.Minute || d > 7*24*time.Hour) {
		p.add("alerts.remind_after: %s must be 0, or from 1m to 168h", a.RemindAfter)
	}
}
