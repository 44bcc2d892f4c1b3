package config

import (
	"fmt"
	"path"
	"slices"
	"time"

	"flyball/alerts/incident"
	"flyball/schema"
)

// Alerts configures the role alert. Without routes every receiver gets a page for every
// finding of level alert or higher.
type Alerts struct {
	Receivers []Receiver   `yaml:"receivers"`
	Routes    []AlertRoute `yaml:"routes"`
	Grouping  Grouping     `yaml:"grouping"`
}

// Grouping bounds the incidents that are opened in a window, over all partitions of the log. Each partition has an equal share, at least
// one.
type Grouping struct {
	Window  Duration `yaml:"window"`
	Agents  int      `yaml:"agents"`  // agents with an incident of their own; one of the tenant counts those after them
	Claimed int      `yaml:"claimed"` // the same for callers whose name is only claimed, or that have none
}

func defaultGrouping() Grouping {
	b := incident.DefaultBounds()
	return Grouping{Window: Duration(b.Window), Agents: b.Agents, Claimed: b.Claimed}
}

// Bounds returns the values for the role alert.
func (g Grouping) Bounds() incident.Bounds {
	return incident.Bounds{Window: time.Duration(g.Window), Agents: g.Agents, Claimed: g.Claimed}
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
}

// AlertRoute sends matching findings to receivers.
type AlertRoute struct {
	MinLevel  Level    `yaml:"min_level"` // alert, trip; empty is alert
	Agents    []string `yaml:"agents"`    // names or patterns as billing/*; empty is all
	Receivers []string `yaml:"receivers"`
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
	for i, r := range a.Routes {
		key := fmt.Sprintf("alerts.routes[%d].", i)
		p.oneOf(key+"min_level", r.MinLevel.text, schema.LevelAlert.String(), schema.LevelTrip.String())
		if len(r.Receivers) == 0 {
			p.add("%sreceivers: empty; name who gets the pages", key)
		}
		for _, n := range r.Receivers {
			if !slices.Contains(names, n) {
				p.add("%sreceivers: %q is none of alerts.receivers", key, n)
			}
		}
		for _, pattern := range r.Agents {
			p.pattern(key+"agents", pattern)
		}
	}
}

// Wants reports whether the routes send a finding to a receiver. A finding about a learned
// scope is sent only if it is enforced, because such findings have a separate budget.
func (a Alerts) Wants(receiver string, f *schema.Finding) bool {
	if f.Family == schema.FamilyScope && (f.Decision == nil || f.Decision.Mode != schema.ModeArmed) {
		return false
	}
	if len(a.Routes) == 0 {
		return f.Level >= schema.LevelAlert
	}
	return slices.ContainsFunc(a.Routes, func(r AlertRoute) bool { return r.matches(receiver, f) })
}

func (r AlertRoute) matches(receiver string, f *schema.Finding) bool {
	if f.Level < max(r.MinLevel.Value, schema.LevelAlert) || !slices.Contains(r.Receivers, receiver) {
		return false
	}
	return len(r.Agents) == 0 || slices.ContainsFunc(r.Agents, func(pattern string) bool {
		ok, _ := path.Match(pattern, f.AgentID)
		return ok
	})
}
