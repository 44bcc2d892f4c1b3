package route

import (
	"fmt"
	"slices"

	"flyball/alerts/incident"
	"flyball/schema"
)

// Route sends matching findings to receivers. A finding must match all that is set.
type Route struct {
	Name     string // for people; may be empty
	MinLevel schema.Level
	// Patterns of path.Match; empty: all. Owners and tags are those of the registry, for agents with an established identity.
	Families, Agents, Owners, Tags, Tenants []string
	// Claimed selects the callers whose name is only claimed, or the others; nil: both.
	Claimed   *bool
	Hours     *Hours // nil: always
	Receivers []string
	Continue  bool // the routes after it are tried, too
}

// Table is a list of routes.
type Table struct {
	Routes   []Route
	All      []string // receivers if there are no routes
	Registry incident.Registry
}

// noRoutes names the answer of an empty table for people.
const noRoutes = "no routes: all receivers"

// Find returns the receivers of a finding at a time (Unix ns).
func (t *Table) Find(f *schema.Finding, at int64) (out incident.Routes) {
	if f.Tenant == schema.CanaryTenant {
		return incident.Routes{By: []string{"pages of the canary go to the canary alone"}}
	}
	if len(t.Routes) == 0 {
		return incident.Routes{Receivers: t.All, By: []string{noRoutes}}
	}
	for i := range t.Routes {
		r := &t.Routes[i]
		if !t.matches(r, f) {
			continue
		}
		if r.Hours != nil {
			out.Timed = true
			if !r.Hours.Contain(at) {
				continue
			}
		}
		out.By = append(out.By, r.title(i))
		for _, name := range r.Receivers {
			if !slices.Contains(out.Receivers, name) {
				out.Receivers = append(out.Receivers, name)
			}
		}
		if !r.Continue {
			break
		}
	}
	return out
}

func (r *Route) title(i int) string {
	s := fmt.Sprintf("routes[%d]", i)
	if r.Name != "" {
		s += " (" + r.Name + ")"
	}
	if len(r.Receivers) == 0 {
		s += " to nobody"
	}
	return s
}

// matches reports whether a route matches a finding at any time.
func (t *Table) matches(r *Route, f *schema.Finding) bool {
	is := incident.Established(f)
	switch {
	case f.Level < max(r.MinLevel, schema.LevelAlert) || r.Claimed != nil && *r.Claimed == is:
		return false
	case !fitsAny(r.Families, f.Family) || !fitsAny(r.Tenants, f.Tenant) || !fitsAny(r.Agents, f.AgentID):
		return false
	case len(r.Agents) > 0 && !is && len(r.Receivers) == 0 && (r.Claimed == nil || !*r.Claimed):
		return false // otherwise a claimed name would be a way to be heard of by nobody
	case len(r.Owners) > 0 && (!is || t.Registry.Owner == nil || !fitsAny(r.Owners, t.Registry.Owner(f.AgentID))):
		return false
	case len(r.Tags) > 0:
		return is && t.Registry.Tags != nil && slices.ContainsFunc(t.Registry.Tags(f.AgentID),
			func(tag string) bool { return fitsAny(r.Tags, tag) })
	}
	return true
}

// fitsAny reports whether a name fits one of the patterns, or there are none.
func fitsAny(patterns []string, name string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return incident.Fits(p, name) })
}

// Shadowed returns the index of an earlier route that matches everything that routes[i] matches and ends the search; -1: there is none.
func Shadowed(routes []Route, i int) int {
	return slices.IndexFunc(routes[:i], func(r Route) bool { return !r.Continue && wider(&r, &routes[i]) })
}

// wider reports whether a route matches all that another one matches, as far as their text shows it.
func wider(a, b *Route) bool {
	if len(a.Receivers) == 0 && len(a.Agents) > 0 && a.Claimed == nil && (b.Claimed == nil || *b.Claimed) {
		return false
	}
	return max(a.MinLevel, schema.LevelAlert) <= max(b.MinLevel, schema.LevelAlert) && a.Hours == nil &&
		(a.Claimed == nil || b.Claimed != nil && *a.Claimed == *b.Claimed) &&
		covers(a.Families, b.Families) && covers(a.Agents, b.Agents) && covers(a.Owners, b.Owners) && covers(a.Tags, b.Tags) &&
		covers(a.Tenants, b.Tenants)
}

func covers(a, b []string) bool {
	if len(a) == 0 {
		return true
	}
	return len(b) > 0 && !slices.ContainsFunc(b, func(p string) bool { return !slices.Contains(a, p) && !slices.Contains(a, "*") })
}
