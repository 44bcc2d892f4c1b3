package config

import (
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"flyball/schema"
)

// Alerts are read by the alert role. Without routes every receiver is told of
// everything from level alert on.
type Alerts struct {
	Receivers []Receiver   `yaml:"receivers"`
	Routes    []AlertRoute `yaml:"routes"`
}

// Receiver is somebody to tell: exactly one of its kinds is set. Its name is part
// of a consumer group: renamed, it is a new receiver.
type Receiver struct {
	Name         string        `yaml:"name"`
	Webhook      *Webhook      `yaml:"webhook,omitempty"`
	Alertmanager *Alertmanager `yaml:"alertmanager,omitempty"`
}

// Webhook is signed as Standard Webhooks describes.
type Webhook struct {
	URL        schema.Secret `yaml:"url"` // many webhooks carry their credential in it
	SecretFile string        `yaml:"secret_file"`
}

// Alertmanager is Prometheus', API v2.
type Alertmanager struct {
	URL string `yaml:"url"`
}

// AlertRoute sends what matches to receivers.
type AlertRoute struct {
	MinLevel  string   `yaml:"min_level"` // alert, trip; empty is alert
	Agents    []string `yaml:"agents"`    // names or patterns as billing/*; empty is all
	Receivers []string `yaml:"receivers"`
}

func (a Alerts) validate(bad func(string, ...any)) {
	var names []string
	for i, r := range a.Receivers {
		if r.Name == "" || strings.Trim(r.Name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			bad("alerts.receivers[%d].name: %q must be of a-z, 0-9, - and _", i, r.Name)
		}
		if slices.Contains(names, r.Name) {
			bad("alerts.receivers[%d].name: %q is taken", i, r.Name)
		}
		names = append(names, r.Name)
		switch {
		case (r.Webhook == nil) == (r.Alertmanager == nil):
			bad("alerts.receivers[%d] (%s): set exactly one of webhook, alertmanager", i, r.Name)
		case r.Webhook != nil:
			if !httpURL(string(r.Webhook.URL)) {
				bad("alerts.receivers[%d].webhook.url: not an http or https URL", i)
			}
			if f, err := os.Open(r.Webhook.SecretFile); err != nil {
				bad("alerts.receivers[%d].webhook.secret_file: %w; pages are signed: put whsec_ and base64 of 32 random bytes there", i, err)
			} else {
				f.Close()
			}
		default:
			if !httpURL(r.Alertmanager.URL) {
				bad("alerts.receivers[%d].alertmanager.url: %q is not an http or https URL", i, r.Alertmanager.URL)
			}
		}
	}
	for i, r := range a.Routes {
		if r.MinLevel != "" && r.MinLevel != schema.LevelAlert.String() && r.MinLevel != schema.LevelTrip.String() {
			bad("alerts.routes[%d].min_level: %q is none of alert, trip", i, r.MinLevel)
		}
		if len(r.Receivers) == 0 {
			bad("alerts.routes[%d].receivers: empty; name who is told", i)
		}
		for _, n := range r.Receivers {
			if !slices.Contains(names, n) {
				bad("alerts.routes[%d].receivers: %q is none of alerts.receivers", i, n)
			}
		}
		for _, p := range r.Agents {
			if _, err := path.Match(p, ""); err != nil {
				bad("alerts.routes[%d].agents: %q is no pattern: %w", i, p, err)
			}
		}
	}
}

// Wants says whether the routes send a finding to a receiver.
func (a Alerts) Wants(receiver string, f *schema.Finding) bool {
	if f.Family == schema.FamilyScope && (f.Decision == nil || f.Decision.Mode != schema.ModeArmed) {
		return false // what would have been held wakes nobody: it has a budget of its own
	}
	if len(a.Routes) == 0 {
		return f.Level >= schema.LevelAlert
	}
	return slices.ContainsFunc(a.Routes, func(r AlertRoute) bool {
		least := schema.LevelAlert
		if r.MinLevel == schema.LevelTrip.String() {
			least = schema.LevelTrip
		}
		return f.Level >= least && slices.Contains(r.Receivers, receiver) && (len(r.Agents) == 0 || slices.ContainsFunc(r.Agents, func(p string) bool {
			ok, _ := path.Match(p, f.AgentID)
			return ok
		}))
	})
}

func httpURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
