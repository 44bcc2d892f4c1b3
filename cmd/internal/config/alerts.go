package config

import (
	"net/url"
	"slices"
	"strings"
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

// Receiver is a destination of pages; exactly one of its kinds is set. The name is part of a
// consumer group: a receiver with a new name is a new receiver.
type Receiver struct {
	Name         string        `yaml:"name"`
	Webhook      *Webhook      `yaml:"webhook,omitempty"`
	Alertmanager *Alertmanager `yaml:"alertmanager,omitempty"`
}

// Webhook is a receiver with signed requests, as Standard Webhooks specifies.
type Webhook struct {
	URL        schema.Secret `yaml:"url"` // the URL of many webhooks contains a credential
	SecretFile string        `yaml:"secret_file" path:"file"`
}

// Alertmanager is Prometheus Alertmanager, API v2.
type Alertmanager struct {
	URL string `yaml:"url"`
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

func (r Receiver) validate(p *problems, i int) {
	if r.Name == "" || strings.Trim(r.Name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		p.add("alerts.receivers[%d].name: %q must be of a-z, 0-9, - and _", i, r.Name)
	}
	switch {
	case (r.Webhook == nil) == (r.Alertmanager == nil):
		p.add("alerts.receivers[%d] (%s): set exactly one of webhook, alertmanager", i, r.Name)
	case r.Webhook != nil:
		if !httpURL(string(r.Webhook.URL)) {
			p.add("alerts.receivers[%d].webhook.url: not an http or https URL", i)
		}
		if err := canOpen(r.Webhook.SecretFile); err != nil {
			p.add("alerts.receivers[%d].webhook.secret_file: %w; pages are signed: put whsec_ and base64 of 32 random bytes there", i, err)
		}
	default:
		if !httpURL(r.Alertmanager.URL) {
			p.add("alerts.receivers[%d].alertmanager.url: %q is not an http or https URL", i, r.Alertmanager.URL)
		}
	}
}

func httpURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
