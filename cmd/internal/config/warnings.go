package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"flyball/schema/document"
)

// Warnings returns a sentence for each setting that is valid but has no effect at a time, as far as the
// configuration alone shows it.
func (c Config) Warnings(now time.Time) []string {
	var w warnings
	for _, name := range c.Ignored {
		w.add("environment: %s is no setting; it is ignored", name)
	}
	w.exceptions(c, now)
	w.tokens(c, now)
	w.oidc(c)
	w.agents(c)
	w.armed(c)
	for i, r := range c.Detect.Policy {
		at := fmt.Sprintf("detect.policy[%d].", i)
		w.registered(c, at+"agent", r.Agent)
		w.tag(c, at+"tag", r.Tag)
	}
	w.alerts(c)
	return w.list
}

type warnings struct{ list []string }

func (w *warnings) add(format string, args ...any) {
	w.list = append(w.list, fmt.Sprintf(format, args...))
}

func (w *warnings) exceptions(c Config, now time.Time) {
	for i, e := range c.Detect.Exceptions {
		at := fmt.Sprintf("detect.exceptions[%d].", i)
		if !now.Before(e.Expires.Value.Time) {
			w.add("%sexpires: %q expired at %s; renew or remove it",
				at, e.Name, e.Expires.Value.UTC().Format(time.RFC3339))
		}
		w.registered(c, at+"agent", e.Agent)
	}
}

func (w *warnings) tokens(c Config, now time.Time) {
	for i, t := range c.Control.Tokens {
		at := fmt.Sprintf("control.tokens[%d].", i)
		if t.Expires.isSet() && !now.Before(t.Expires.Value.Time) {
			w.add("%sexpires: %q expired at %s; every request with it is refused", at, t.Name, t.Expires.Value.UTC().Format(time.RFC3339))
		}
		if len(t.Tenants) > 0 && !slices.Contains(t.Tenants, c.Tenant) {
			w.add("%stenants: %q is not of tenant %s, which is that of this deployment; every request with it is refused", at, t.Name, c.Tenant)
		}
	}
}

func (w *warnings) agents(c Config) {
	for i, a := range c.Agents {
		if len(a.identifiers()) == 0 {
			w.add("agents[%d]: %s has no credential, spiffe or consumer; it is recognized only if a gateway or a token names it so", i, a.ID)
		}
	}
}

func (w *warnings) armed(c Config) {
	for i, pattern := range c.Detect.Armed {
		key := fmt.Sprintf("detect.armed[%d]", i)
		if strings.HasPrefix(pattern, "family:") {
			continue
		}
		if tag, ok := strings.CutPrefix(pattern, "tag:"); ok {
			w.tag(c, key, tag)
		} else {
			w.agent(c, key, pattern)
		}
	}
	if c.Detect.Mode == ModeArmed && len(c.Detect.Armed) > 0 {
		w.add("detect.armed: detect.mode is armed: everything is enforced, whatever the list names")
	}
}

// agent warns of a pattern that matches no agent of the registry. An empty pattern is every agent.
func (w *warnings) agent(c Config, key, pattern string) {
	if pattern == "" || slices.ContainsFunc(c.Agents, func(a Agent) bool { return matches(pattern, a.ID) }) || pattern == "*" {
		return
	}
	near := ""
	if len(c.Agents) > 0 {
		var names []string
		for _, a := range c.Agents {
			names = append(names, a.ID)
		}
		near = " (the nearest is " + document.Nearest(pattern, names) + ")"
	}
	w.add("%s: %q matches no entry of agents%s; it has an effect only if a gateway or a token names such an agent", key, pattern, near)
}

// registered warns of a pattern that matches no agent of the registry, if there is a registry.
func (w *warnings) registered(c Config, key, pattern string) {
	if len(c.Agents) > 0 {
		w.agent(c, key, pattern)
	}
}

// tag warns of a pattern that matches no tag of the registry: tags come from nowhere else.
func (w *warnings) tag(c Config, key, pattern string) {
	tagged := func(a Agent) bool {
		return slices.ContainsFunc(a.Tags, func(t string) bool { return matches(pattern, t) })
	}
	if pattern != "" && !slices.ContainsFunc(c.Agents, tagged) {
		w.add("%s: %q matches no tag of agents; it has no effect", key, pattern)
	}
}

func (w *warnings) alerts(c Config) {
	for i, r := range c.Alerts.Routes {
		for n, pattern := range r.Agents {
			w.registered(c, fmt.Sprintf("alerts.routes[%d].agents[%d]", i, n), pattern)
		}
	}
	if len(c.Alerts.Routes) == 0 {
		return
	}
	for i, r := range c.Alerts.Receivers {
		if !slices.ContainsFunc(c.Alerts.Routes, func(route AlertRoute) bool { return slices.Contains(route.Receivers, r.Name) }) {
			w.add("alerts.receivers[%d]: %s is in no route of alerts.routes; it gets no pages", i, r.Name)
		}
	}
}
