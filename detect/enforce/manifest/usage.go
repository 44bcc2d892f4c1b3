package manifest

import (
	"slices"
	"strings"
	"time"

	"flyball/detect/enforce"
	"flyball/schema"
	"flyball/schema/route"
)

// Usage is what an agent did on one route, as far as manifests depend on it.
type Usage struct {
	Method, Route, Tool string // Route is the template
	Reversibility       schema.Reversibility
	Calls, Runs         uint64
	LastAt              time.Time
	PeakHour            uint64 // calls in the busiest hour
	ResourceTypes       []string
	WithAmount          uint64 // calls whose amount is known
	MaxAmount           float64
	P95Amount           float64
	DayAmount           float64
	Currency            string // empty: none, or several
}

// Name returns the route in the form that manifests use.
func (u *Usage) Name() string {
	if u.Tool != "" {
		return "tool:" + u.Tool
	}
	return u.Method + " " + u.Route
}

// call returns a call that represents the route, with the largest amount seen.
func (u *Usage) call(agent string) *schema.Call {
	c := &schema.Call{AgentID: agent, AgentTrust: schema.TrustVerified, Method: u.Method, Route: u.Route,
		RouteKey: route.Key(u.Route), ToolName: u.Tool, Reversibility: u.Reversibility}
	for _, t := range u.ResourceTypes {
		c.Resources = append(c.Resources, schema.Resource{Type: t, ID: "0"})
	}
	if u.WithAmount > 0 {
		c.SetAttr(route.AttrAmount, decimal(u.MaxAmount))
		if u.Currency != "" {
			c.SetAttr(route.AttrCurrency, u.Currency)
		}
	}
	return c
}

// EvaluateUsage evaluates a call of an agent on a route within the hours of the manifest, without a
// declared task.
func (m *Manifest) EvaluateUsage(agent string, u *Usage) Evaluation {
	free := *m
	free.hours = nil
	free.Document.Task = ""
	return free.Evaluate(&enforce.Request{Call: u.call(agent)}, 1)
}

// CheckReport is the result of comparing a manifest with what was done.
type CheckReport struct {
	Agent string `json:"agent"`
	// Violations are routes that were used but that the manifest does not let pass.
	Violations []Violation `json:"violations"`
	// Unused are lines that no call matched.
	Unused []string `json:"unused"`
	Calls  uint64   `json:"calls"`
	Fits   uint64   `json:"calls_that_fit"`
}

// Violation is a route on which the manifest would annotate, ask or deny.
type Violation struct {
	Route  string    `json:"route"`
	Action string    `json:"action"`
	Why    string    `json:"why"`
	Line   string    `json:"line"`
	Calls  uint64    `json:"calls"`
	Runs   uint64    `json:"runs"`
	LastAt time.Time `json:"last_at"`
}

// Check compares a manifest with what an agent did.
func (m *Manifest) Check(agent string, used []Usage) CheckReport {
	r := CheckReport{Agent: agent, Violations: []Violation{}, Unused: []string{}}
	for i := range used {
		u := &used[i]
		r.Calls += u.Calls
		a := m.EvaluateUsage(agent, u)
		if a.Action == schema.ActionNone {
			r.Fits += u.Calls
			continue
		}
		r.Violations = append(r.Violations, Violation{u.Name(), a.Action.String(), a.Why, a.Line, u.Calls, u.Runs, u.LastAt})
	}
	m.eachRoute(func(key string, p *route.Pattern) {
		for i := range used {
			if p.Matches(used[i].call(agent)) {
				return
			}
		}
		r.Unused = append(r.Unused, key+": "+p.String())
	})
	for i, want := range m.grants.resources {
		if !touches(used, want) {
			r.Unused = append(r.Unused, indexed("scope.resources", i)+": "+want)
		}
	}
	return r
}

func touches(used []Usage, pattern string) bool {
	kind, _, _ := strings.Cut(pattern, ":")
	for i := range used {
		for _, t := range used[i].ResourceTypes {
			if used[i].Reversibility != schema.ReadOnly && (t == kind || kind == "*") {
				return true
			}
		}
	}
	return false
}

// eachRoute calls each for every route pattern of the manifest, with its key in the document.
func (m *Manifest) eachRoute(each func(key string, p *route.Pattern)) {
	all := func(key string, list []route.Pattern) {
		for i := range list {
			each(indexed(key, i), &list[i])
		}
	}
	all("scope.routes", m.grants.routes)
	for name, s := range m.types {
		all("task_types."+name+".routes", s.routes)
	}
	for i := range m.autonomy {
		all(m.autonomy[i].key+".routes", m.autonomy[i].routes)
	}
	for i := range m.quotas {
		if !m.quotas[i].autonomousOnly {
			all(m.quotas[i].key+".routes", m.quotas[i].routes)
		}
	}
}

// Narrowed is a manifest that allows less than the original in one line.
type Narrowed struct {
	Line     string
	Manifest *Manifest
}

// Narrowed returns every manifest that grants one route less, or asks about one route more.
func (m *Manifest) Narrowed() []Narrowed {
	var out []Narrowed
	try := func(line string, change func(*Document)) {
		d := m.Document
		change(&d)
		if next, err := compile(&d); err == nil {
			out = append(out, Narrowed{line, next})
		}
	}
	for i, r := range m.Document.Grants.Routes {
		if len(m.Document.Grants.Routes) > 1 {
			try("without "+indexed("scope.routes", i)+": "+r, func(d *Document) {
				d.Grants.Routes = slices.Delete(slices.Clone(d.Grants.Routes), i, i+1)
			})
		}
	}
	for i, a := range m.Document.Autonomy {
		if a.Ask != "always" {
			try("ask always in "+indexed("autonomy", i)+": "+strings.Join(a.Routes, ", "), func(d *Document) {
				d.Autonomy = slices.Clone(d.Autonomy)
				d.Autonomy[i] = Autonomy{Routes: a.Routes, Ask: "always"}
			})
		}
	}
	return out
}
