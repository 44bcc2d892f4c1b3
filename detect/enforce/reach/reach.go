// Package reach computes what a caller could still do: the worst that is possible with a stolen
// token, under the manifest and the quotas in force.
//
// It does not guess: routes without any call are not in the report, and the report contains a
// caveat about that.
package reach

import (
	"cmp"
	"fmt"
	"slices"

	"flyball/detect/enforce/manifest"
	"flyball/schema"
)

// Route is a route that was called, and the effect of its calls.
type Route struct {
	manifest.Usage
	Effect string
	Used   uint64 // calls of the subject itself
}

// RouteAccess reports whether and how often a caller can call a route.
type RouteAccess struct {
	Route         string `json:"route"`
	Effect        string `json:"effect"`
	Reversibility string `json:"reversibility"`
	// Access is allowed, asks or denied; Why is the reason, Line the key in the manifest.
	Access string `json:"answer"`
	Why    string `json:"why"`
	Line   string `json:"line,omitempty"`
	Used   uint64 `json:"used"`   // calls of the subject
	Others uint64 `json:"others"` // calls of all other callers
	// WorstPerHour is how many such calls the quotas in force let pass in an hour; -1: no quota
	// bounds them.
	WorstPerHour int64  `json:"worst_per_hour"`
	BoundBy      string `json:"bound_by,omitempty"` // name of the quota
}

// Narrowing is a change of the manifest, and what it would stop.
type Narrowing struct {
	Line         string `json:"line"`
	Routes       int    `json:"routes"` // allowed routes that would then ask or be denied
	Irreversible int    `json:"irreversible"`
	Used         uint64 `json:"used"` // calls of the subject on these routes
}

// Report lists what a subject can reach.
type Report struct {
	Agent      string        `json:"agent"`
	Manifest   uint64        `json:"manifest_version"` // 0: there is none
	Lines      []RouteAccess `json:"routes"`
	Narrowings []Narrowing   `json:"narrowings"`
	Worst      string        `json:"worst"` // in one sentence
	Caveats    []string      `json:"caveats"`
}

// Analyze returns what an agent can reach. Without a manifest (m is nil) everything is allowed and
// nothing is bounded; if ask is set, irreversible calls need approval nevertheless. Routes with
// irreversible calls come first, then allowed routes.
func Analyze(agent string, m *manifest.Manifest, version uint64, ask, armed bool, routes []Route) Report {
	r := Report{Agent: agent, Manifest: version, Lines: []RouteAccess{}, Narrowings: []Narrowing{},
		Caveats: []string{"routes that nobody has called are not known here"}}
	if !armed {
		r.Caveats = append(r.Caveats, "nothing is enforced for this agent: it is observed, and what asks or is denied below would pass")
	}
	for i := range routes {
		r.Lines = append(r.Lines, access(agent, m, ask, &routes[i]))
	}
	slices.SortStableFunc(r.Lines, func(a, b RouteAccess) int {
		return cmp.Or(-cmp.Compare(severity(a.Reversibility), severity(b.Reversibility)),
			cmp.Compare(accessOrder[a.Access], accessOrder[b.Access]),
			-cmp.Compare(a.Used+a.Others, b.Used+b.Others), cmp.Compare(a.Route, b.Route))
	})
	if m != nil {
		r.Narrowings = narrowings(agent, m, routes)
	}
	r.Worst = worst(r.Lines)
	return r
}

const (
	allowed = "allowed"
	asks    = "asks"
	denied  = "denied"
)

var accessOrder = map[string]int{allowed: 0, asks: 1, denied: 2}

func severity(reversibility string) int {
	return slices.Index(schema.ReversibilityWords, reversibility)
}

// access evaluates a route by a manifest, or without one.
func access(agent string, m *manifest.Manifest, ask bool, x *Route) RouteAccess {
	a := RouteAccess{Route: x.Name(), Effect: x.Effect, Reversibility: x.Reversibility.String(), Access: allowed,
		Why: manifest.WhyNoManifest, Used: x.Used, Others: x.Calls - min(x.Used, x.Calls), WorstPerHour: -1}
	if m == nil {
		if ask && x.Reversibility == schema.Irreversible {
			a.Access = asks
		}
		return a
	}
	e := m.EvaluateUsage(agent, &x.Usage)
	a.Why, a.Line = e.Why, e.Line
	switch e.Action {
	case schema.ActionGate:
		a.Access, a.WorstPerHour = asks, 0
	case schema.ActionDeny:
		a.Access, a.WorstPerHour = denied, 0
	default:
		a.bound(e.Spends)
	}
	return a
}

// bound sets the quota that lets the fewest calls pass in an hour.
func (a *RouteAccess) bound(spends []manifest.Spend) {
	for i := range spends {
		if n := spends[i].PerHour(); n >= 0 && (a.WorstPerHour < 0 || n < a.WorstPerHour) {
			a.WorstPerHour, a.BoundBy = n, spends[i].Quota
		}
	}
}

// narrowings returns the changes of a manifest that would stop something. Those that hold the
// fewest calls of the subject come first.
func narrowings(agent string, m *manifest.Manifest, routes []Route) []Narrowing {
	out := []Narrowing{}
	for _, n := range m.Narrowed() {
		x := Narrowing{Line: n.Line}
		for i := range routes {
			u := &routes[i]
			if m.EvaluateUsage(agent, &u.Usage).Action >= schema.ActionGate ||
				n.Manifest.EvaluateUsage(agent, &u.Usage).Action < schema.ActionGate {
				continue
			}
			x.Routes++
			x.Used += u.Used
			if u.Reversibility == schema.Irreversible {
				x.Irreversible++
			}
		}
		if x.Routes > 0 {
			out = append(out, x)
		}
	}
	slices.SortStableFunc(out, func(a, b Narrowing) int {
		return cmp.Or(cmp.Compare(a.Used, b.Used), -cmp.Compare(a.Irreversible, b.Irreversible), -cmp.Compare(a.Routes, b.Routes),
			cmp.Compare(a.Line, b.Line))
	})
	return out
}

// worst returns one sentence about the irreversible calls that pass without approval.
func worst(routes []RouteAccess) string {
	n, unused, unbounded := 0, 0, 0
	most := int64(0)
	for _, a := range routes {
		if a.Access != allowed || a.Reversibility != schema.Irreversible.String() {
			continue
		}
		n++
		if a.Used == 0 {
			unused++
		}
		if a.WorstPerHour < 0 {
			unbounded++
		} else {
			most = max(most, a.WorstPerHour)
		}
	}
	switch {
	case n == 0:
		return "without a person's yes it can make no irreversible call that is known here"
	case unbounded > 0:
		return fmt.Sprintf("without asking anybody it can make irreversible calls on %d routes, %d of which it never used; "+
			"on %d of them nothing bounds how many", n, unused, unbounded)
	}
	return fmt.Sprintf("without asking anybody it can make irreversible calls on %d routes, %d of which it never used; "+
		"at most %d an hour on any of them", n, unused, most)
}
