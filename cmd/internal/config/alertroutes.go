package config

import (
	"fmt"
	"path"
	"slices"

	"flyball/alerts/incident"
	"flyball/alerts/route"
	"flyball/schema"
)

// Nobody is the receiver of a route that sends findings to no receiver.
const Nobody = "none"

// AlertRoute sends matching findings to receivers. Routes are tried in their order; the first
// that matches decides, unless it says continue.
type AlertRoute struct {
	Name     string   `yaml:"name"`      // for people
	MinLevel Level    `yaml:"min_level"` // alert, trip; empty is alert
	Families []string `yaml:"families"`  // names or patterns as runaway.*; empty is all
	Agents   []string `yaml:"agents"`    // names or patterns as billing/*; empty is all
	Owners   []string `yaml:"owners"`    // of the registry (agents), for agents with an established identity
	Tags     []string `yaml:"tags"`      // the same
	Tenants  []string `yaml:"tenants"`
	// Claimed selects callers whose name is only claimed (true) or the others (false); absent: both.
	Claimed   *bool       `yaml:"claimed,omitempty"`
	Hours     *AlertHours `yaml:"hours,omitempty"` // absent: always
	Receivers []string    `yaml:"receivers"`       // none: nobody is notified
	Continue  bool        `yaml:"continue"`        // the routes after it are tried, too
}

// AlertHours are times of the week.
type AlertHours struct {
	Zone string   `yaml:"zone"` // of the IANA database, as Europe/Berlin; empty is UTC
	Days []string `yaml:"days"` // names and ranges, as mon-fri; empty is every day
	From string   `yaml:"from"` // as 09:00; empty is the whole day
	To   string   `yaml:"to"`   // not after from: on the next day
}

// Table returns the routes for the role alert.
func (a Alerts) Table(registry incident.Registry) *route.Table {
	t := &route.Table{Registry: registry}
	for _, r := range a.Receivers {
		t.All = append(t.All, r.Name)
	}
	for i := range a.Routes {
		r, _ := a.Routes[i].compile() // checked by validate
		t.Routes = append(t.Routes, r)
	}
	return t
}

func (r *AlertRoute) compile() (route.Route, error) {
	out := route.Route{Name: r.Name, MinLevel: r.MinLevel.Value, Families: r.Families, Agents: r.Agents, Owners: r.Owners, Tags: r.Tags,
		Tenants: r.Tenants, Claimed: r.Claimed, Receivers: r.Receivers, Continue: r.Continue}
	if slices.Equal(r.Receivers, []string{Nobody}) {
		out.Receivers = nil
	}
	var err error
	if h := r.Hours; h != nil {
		out.Hours, err = route.ParseHours(h.Zone, h.Days, h.From, h.To)
	}
	return out, err
}

func (a Alerts) validateRoutes(p *problems, names []string) {
	var routes []route.Route
	for i := range a.Routes {
		r := &a.Routes[i]
		key := fmt.Sprintf("alerts.routes[%d].", i)
		p.oneOf(key+"min_level", r.MinLevel.text, schema.LevelAlert.String(), schema.LevelTrip.String())
		r.validateReceivers(p, key, names)
		for _, list := range []struct {
			name     string
			patterns []string
		}{{"families", r.Families}, {"agents", r.Agents}, {"owners", r.Owners}, {"tags", r.Tags}, {"tenants", r.Tenants}} {
			for _, pattern := range list.patterns {
				if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
					p.pattern(key+list.name, pattern)
				}
			}
		}
		if r.Claimed != nil && *r.Claimed && (len(r.Owners) > 0 || len(r.Tags) > 0) {
			p.add("%sclaimed: true and %sowners or tags contradict each other: a caller whose name is only claimed has neither", key, key)
		}
		compiled, err := r.compile()
		if err != nil {
			p.add("%shours.%w", key, err)
		}
		routes = append(routes, compiled)
		if by := route.Shadowed(routes, i); by >= 0 {
			p.add("alerts.routes[%d] is never reached: alerts.routes[%d] matches all that it matches; put it first, or set continue: true in "+
				"alerts.routes[%d]", i, by, by)
		}
	}
}

func (r *AlertRoute) validateReceivers(p *problems, key string, names []string) {
	if len(r.Receivers) == 0 {
		p.add("%sreceivers: empty; name who gets the pages, or none for nobody", key)
	}
	for _, n := range r.Receivers {
		switch {
		case n == Nobody && len(r.Receivers) > 1:
			p.add("%sreceivers: none and other receivers contradict each other", key)
		case n != Nobody && !slices.Contains(names, n):
			p.add("%sreceivers: %q is none of alerts.receivers", key, n)
		}
	}
}
