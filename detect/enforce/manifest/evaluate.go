package manifest

import (
	"path"
	"slices"

	"flyball/schema"
	"flyball/schema/route"
	"flyball/schema/schedule"
)

// Manifest is a document that was found right.
type Manifest struct {
	Document Document
	pattern  bool
	grants   grants
	types    map[string]grants
	autonomy []autonomy
	quotas   []quota
	hours    *schedule.Compiled
	failure  FailureMode
}

type grants struct {
	routes    []route.Pattern
	resources []string
}

type autonomy struct {
	Autonomy
	key    string
	routes []route.Pattern
	below  int64 // thousandths
}

type quota struct {
	Quota
	key            string
	routes         []route.Pattern
	limit          int64 // units
	autonomousOnly bool  // of what is done without a yes only
}

// Named reasons of an answer. The part before the point is the family that can
// be armed by itself: policy.scope, policy.task, policy.autonomy, policy.hours,
// policy.quota.
const (
	WhyInScope        = "in_scope"
	WhyNoManifest     = "no_manifest"
	WhyReadOutside    = "policy.scope:read_outside"
	WhyOutside        = "policy.scope:route_outside"
	WhyResource       = "policy.scope:resource_outside"
	WhyResourceHidden = "policy.scope:resource_unknown"
	WhyTaskRoute      = "policy.task:route_outside"
	WhyTaskTarget     = "policy.task:target_outside"
	WhyTaskOver       = "policy.task:after_task"
	WhyNoTask         = "policy.task:none_declared"
	WhyTypeUnknown    = "policy.task:type_unknown"
	WhyAlwaysAsks     = "policy.autonomy:always_asks"
	WhyIrreversible   = "policy.autonomy:irreversible_not_granted"
	WhyAmount         = "policy.autonomy:amount_above"
	WhyNoAmount       = "policy.autonomy:amount_unknown"
	WhyCurrency       = "policy.autonomy:currency_differs"
	WhyNoCurrency     = "policy.autonomy:currency_unknown"
	WhyHours          = "policy.hours:outside"
	WhyQuota          = "policy.quota:spent"
	WhyAutonomySpent  = "policy.autonomy:spent_alone"
	WhyLogStale       = "policy.failure:log_away"
)

// Ask is a call and what is known around it.
type Ask struct {
	Call *schema.Call
	Now  int64        // the log's clock, Unix ns
	Task *schema.Task // that was declared for the call's run, if one was
	// AssertedType is the type of task that the caller claims. It can only narrow.
	AssertedType string
}

// Evaluation is what the manifest says to a call: none, annotate, gate or deny.
type Evaluation struct {
	Action schema.Action
	Why    string
	Line   string // the key of the document that decided
	Spends []Spend
}

// Evaluate answers a call. In this order, and the first that objects is heard: the
// task is over; a read passes; the scope; the declared task; the claimed type of
// task; the autonomy; the hours. What passes spends its quotas, and so does what
// asks, but for what only counts what is done alone.
func (m *Manifest) Evaluate(in Ask) Evaluation {
	c := in.Call
	a := m.evaluate(in)
	if a.Action >= schema.ActionDeny {
		return a
	}
	for i := range m.quotas {
		q := &m.quotas[i]
		if q.autonomousOnly && a.Action == schema.ActionGate || len(q.routes) > 0 && !route.AnyMatches(q.routes, c) {
			continue
		}
		if s, ok := q.spend(c, in.Now); ok {
			a.Spends = append(a.Spends, s)
		}
	}
	return a
}

func (m *Manifest) evaluate(in Ask) Evaluation {
	c := in.Call
	if in.Task != nil && in.Task.HasEnded(in.Now) {
		return Evaluation{Action: schema.ActionDeny, Why: WhyTaskOver, Line: "task"}
	}
	if c.Reversibility == schema.ReadOnly {
		if len(m.grants.routes) > 0 && !route.AnyMatches(m.grants.routes, c) {
			return Evaluation{Action: schema.ActionAnnotate, Why: WhyReadOutside, Line: "scope.routes"}
		}
		return Evaluation{Why: WhyInScope, Line: "scope"}
	}
	if why, line := m.grants.check(c, WhyOutside, WhyResource); why != "" {
		return Evaluation{Action: schema.ActionGate, Why: why, Line: "scope." + line}
	}
	if in.Task != nil {
		if a, bad := m.checkTask(in.Task, c); bad {
			return a
		}
	} else if m.Document.Task == "required" {
		return Evaluation{Action: schema.ActionGate, Why: WhyNoTask, Line: "task"}
	}
	if t, known := m.types[in.AssertedType]; known && in.AssertedType != "" {
		if why, line := t.check(c, WhyTaskRoute, WhyTaskTarget); why != "" {
			return Evaluation{Action: schema.ActionGate, Why: why, Line: "task_types." + in.AssertedType + "." + line}
		}
	}
	if a, bad := m.checkAutonomy(c); bad {
		return a
	}
	if m.hours != nil && !m.hours.Contains(in.Now) {
		return Evaluation{Action: schema.ActionGate, Why: WhyHours, Line: "hours"}
	}
	return Evaluation{Why: WhyInScope, Line: "scope"}
}

// checkTask judges a write by what the orchestrator declared. A write that names no
// resource (what it makes has no name yet) is judged by its route alone.
func (m *Manifest) checkTask(t *schema.Task, c *schema.Call) (Evaluation, bool) {
	if t.Type != "" && len(m.types) > 0 {
		s, known := m.types[t.Type]
		if !known {
			return Evaluation{Action: schema.ActionGate, Why: WhyTypeUnknown, Line: "task_types"}, true
		}
		if why, line := s.check(c, WhyTaskRoute, WhyTaskTarget); why != "" {
			return Evaluation{Action: schema.ActionGate, Why: why, Line: "task_types." + t.Type + "." + line}, true
		}
	}
	if len(t.Targets) > 0 && len(c.Resources) > 0 {
		if why, _ := (&grants{resources: t.Targets}).check(c, WhyTaskRoute, WhyTaskTarget); why != "" {
			return Evaluation{Action: schema.ActionGate, Why: why, Line: "task.targets"}, true
		}
	}
	return Evaluation{}, false
}

// EvaluateTask is what a declared task says to a call of an agent without a manifest:
// its end, and its targets.
func EvaluateTask(t *schema.Task, c *schema.Call, now int64) Evaluation {
	if t.HasEnded(now) {
		return Evaluation{Action: schema.ActionDeny, Why: WhyTaskOver, Line: "task"}
	}
	if c.Reversibility == schema.ReadOnly {
		return Evaluation{}
	}
	a, _ := (&Manifest{}).checkTask(t, c)
	return a
}

// check names why a write is outside, and the list that says so.
func (s *grants) check(c *schema.Call, whyRoute, whyResource string) (why, line string) {
	if len(s.routes) > 0 && !route.AnyMatches(s.routes, c) {
		return whyRoute, "routes"
	}
	if len(s.resources) == 0 {
		return "", ""
	}
	for _, r := range c.Resources {
		if r.ID == "?" { // one of its kind: a pattern for all of them grants it
			if !slices.Contains(s.resources, r.Type+":*") {
				return WhyResourceHidden, "resources"
			}
			continue
		}
		name := r.String()
		if !slices.ContainsFunc(s.resources, func(p string) bool { ok, _ := path.Match(p, name); return ok }) {
			return whyResource, "resources"
		}
	}
	return "", ""
}

// checkAutonomy reports whether a call needs a yes by itself.
func (m *Manifest) checkAutonomy(c *schema.Call) (Evaluation, bool) {
	for i := range m.autonomy {
		a := &m.autonomy[i]
		if !route.AnyMatches(a.routes, c) {
			continue
		}
		gate := func(why, line string) (Evaluation, bool) {
			return Evaluation{Action: schema.ActionGate, Why: why, Line: a.key + "." + line}, true
		}
		switch amount, currency, ok := money(c); {
		case a.Ask == "always":
			return gate(WhyAlwaysAsks, "ask")
		case a.Ask == "never":
			return Evaluation{}, false
		case !ok:
			return gate(WhyNoAmount, "alone_below")
		case currency == "":
			return gate(WhyNoCurrency, "currency")
		case currency != a.Currency:
			return gate(WhyCurrency, "currency")
		case a.below > 0 && amount >= a.below:
			return gate(WhyAmount, "alone_below")
		}
		return Evaluation{}, false
	}
	if needsYes(c.Reversibility) {
		return Evaluation{Action: schema.ActionGate, Why: WhyIrreversible, Line: "autonomy"}, true
	}
	return Evaluation{}, false
}

// WhenLogStale is what the manifest wants of a call while the log is away.
func (m *Manifest) WhenLogStale(r schema.Reversibility) schema.Action {
	mode := DefaultFailureMode(r)
	if m != nil {
		switch r {
		case schema.ReadOnly:
			mode = m.failure.Reads
		case schema.Irreversible:
			mode = m.failure.Irreversible
		default:
			mode = m.failure.Writes
		}
	}
	if mode == "deny" {
		return schema.ActionDeny
	}
	return schema.ActionNone
}

// DefaultFailureMode lets everything pass but what cannot be undone.
func DefaultFailureMode(r schema.Reversibility) string {
	if r == schema.Irreversible {
		return "deny"
	}
	return "allow"
}
