// Package reach says what a caller could still do: the worst that a stolen token
// can do, by the manifests, quotas and breakers as they stand.
//
// It refuses to guess at routes that nobody ever called and no document names: it
// says that it does not know them.
package reach

import (
	"cmp"
	"fmt"
	"slices"

	"flyball/detect/enforce/manifest"
	"flyball/schema"
)

// Route that somebody has called, and what it does.
type Route struct {
	manifest.Usage
	Effect string
	// Used by the subject itself.
	Used uint64
}

// RouteAccess is a route that a caller can reach.
type RouteAccess struct {
	Route         string `json:"route"`
	Effect        string `json:"effect"`
	Reversibility string `json:"reversibility"`
	// Access: allowed, asks or denied; Why names the reason, Line the key of the manifest.
	Access string `json:"answer"`
	Why    string `json:"why"`
	Line   string `json:"line,omitempty"`
	Used   uint64 `json:"used"`   // calls of the subject
	Others uint64 `json:"others"` // calls of everybody else
	// WorstPerHour is how many such calls the present quotas let through in an hour;
	// -1: nothing bounds them.
	WorstPerHour int64  `json:"worst_per_hour"`
	BoundBy      string `json:"bound_by,omitempty"` // the quota
}

// Narrowing is what one change would take away.
type Narrowing struct {
	Line         string `json:"line"`
	Routes       int    `json:"routes"` // allowed ones that would ask or be denied
	Irreversible int    `json:"irreversible"`
	Used         uint64 `json:"used"` // calls of the subject that would be held
}

// Report of a subject.
type Report struct {
	Agent      string        `json:"agent"`
	Manifest   uint64        `json:"manifest_version"` // 0: there is none
	Lines      []RouteAccess `json:"routes"`
	Narrowings []Narrowing   `json:"narrowings"`
	// In one sentence.
	Worst   string   `json:"worst"`
	Caveats []string `json:"caveats"`
}

// Analyze is what an agent can reach. Without a manifest everything is allowed, and
// nothing is bounded; ask says that irreversible calls ask even so. Routes come
// irreversible first, then by what is allowed.
func Analyze(agent string, m *manifest.Manifest, version uint64, ask, armed bool, routes []Route) Report {
	r := Report{Agent: agent, Manifest: version, Lines: []RouteAccess{}, Narrowings: []Narrowing{}, Caveats: []string{"routes that nobody has called are not known here"}}
	if !armed {
		r.Caveats = append(r.Caveats, "nothing is enforced for this agent: it is observed, and what asks or is denied below would pass")
	}
	for i := range routes {
		r.Lines = append(r.Lines, line(agent, m, ask, &routes[i]))
	}
	slices.SortStableFunc(r.Lines, func(a, b RouteAccess) int {
		return cmp.Or(-cmp.Compare(order(a.Reversibility), order(b.Reversibility)), cmp.Compare(answers[a.Access], answers[b.Access]), -cmp.Compare(a.Used+a.Others, b.Used+b.Others), cmp.Compare(a.Route, b.Route))
	})
	if m != nil {
		r.narrow(agent, m, routes)
	}
	r.Worst = worst(&r)
	return r
}

var answers = map[string]int{"allowed": 0, "asks": 1, "denied": 2}

func order(reversibility string) int { return slices.Index(schema.ReversibilityWords, reversibility) }

func line(agent string, m *manifest.Manifest, ask bool, x *Route) RouteAccess {
	l := RouteAccess{Route: x.Name(), Effect: x.Effect, Reversibility: x.Reversibility.String(), Access: "allowed", Why: manifest.WhyNoManifest, Used: x.Used, Others: x.Calls - min(x.Used, x.Calls), WorstPerHour: -1}
	if m == nil {
		if ask && x.Reversibility == schema.Irreversible {
			l.Access = "asks"
		}
		return l
	}
	a := m.EvaluateUsage(agent, &x.Usage)
	l.Why, l.Line = a.Why, a.Line
	switch a.Action {
	case schema.ActionGate:
		l.Access, l.WorstPerHour = "asks", 0
	case schema.ActionDeny:
		l.Access, l.WorstPerHour = "denied", 0
	}
	if l.Access != "allowed" {
		return l
	}
	for _, s := range a.Spends {
		if n := s.PerHour(); n >= 0 && (l.WorstPerHour < 0 || n < l.WorstPerHour) {
			l.WorstPerHour, l.BoundBy = n, s.Quota
		}
	}
	return l
}

func (r *Report) narrow(agent string, m *manifest.Manifest, routes []Route) {
	for _, n := range m.Narrowed() {
		out := Narrowing{Line: n.Line}
		for i := range routes {
			x := &routes[i]
			if m.EvaluateUsage(agent, &x.Usage).Action >= schema.ActionGate || n.Manifest.EvaluateUsage(agent, &x.Usage).Action < schema.ActionGate {
				continue
			}
			out.Routes++
			out.Used += x.Used
			if x.Reversibility == schema.Irreversible {
				out.Irreversible++
			}
		}
		if out.Routes > 0 {
			r.Narrowings = append(r.Narrowings, out)
		}
	}
	slices.SortStableFunc(r.Narrowings, func(a, b Narrowing) int {
		return cmp.Or(cmp.Compare(a.Used, b.Used), -cmp.Compare(a.Irreversible, b.Irreversible), -cmp.Compare(a.Routes, b.Routes), cmp.Compare(a.Line, b.Line))
	})
}

func worst(r *Report) string {
	n, unused, unbounded := 0, 0, 0
	most := int64(0)
	for _, l := range r.Lines {
		if l.Access != "allowed" || l.Reversibility != schema.Irreversible.String() {
			continue
		}
		n++
		if l.Used == 0 {
			unused++
		}
		if l.WorstPerHour < 0 {
			unbounded++
		} else {
			most = max(most, l.WorstPerHour)
		}
	}
	switch {
	case n == 0:
		return "without a person's yes it can make no irreversible call that is known here"
	case unbounded > 0:
		return fmt.Sprintf("without asking anybody it can make irreversible calls on %d routes, %d of which it never used; on %d of them nothing bounds how many", n, unused, unbounded)
	}
	return fmt.Sprintf("without asking anybody it can make irreversible calls on %d routes, %d of which it never used; at most %d an hour on any of them", n, unused, most)
}
