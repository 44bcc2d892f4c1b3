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
	scope    scope
	types    map[string]scope
	autonomy []autonomy
	quotas   []quota
	hours    *schedule.Compiled
	failure  FailureMode
}

type scope struct {
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
	key    string
	routes []route.Pattern
	limit  int64 // units
	alone  bool  // of what is done without a yes only
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
	WhyAsks           = "policy.autonomy:always_asks"
	WhyIrreversible   = "policy.autonomy:irreversible_not_granted"
	WhyAmount         = "policy.autonomy:amount_above"
	WhyNoAmount       = "policy.autonomy:amount_unknown"
	WhyCurrency       = "policy.autonomy:currency_differs"
	WhyNoCurrency     = "policy.autonomy:currency_unknown"
	WhyHours          = "policy.hours:outside"
	WhyQuota          = "policy.quota:spent"
	WhyAlone          = "policy.autonomy:spent_alone"
	WhyStale          = "policy.failure:log_away"
)

// Ask is a call and what is known around it.
type Ask struct {
	Call *schema.Call
	Now  int64        // the log's clock, Unix ns
	Task *schema.Task // that was declared for the call's run, if one was
	// AssertedType is the type of task that the caller claims. It can only narrow.
	AssertedType string
}

// Answer is what the manifest says to a call: none, annotate, gate or deny.
type Answer struct {
	Action schema.Action
	Why    string
	Line   string // the key of the document that decided
	Spends []Spend
}

// Decide answers a call. In this order, and the first that objects is heard: the
// task is over; a read passes; the scope; the declared task; the claimed type of
// task; the autonomy; the hours. What passes spends its quotas, and so does what
// asks, but for what only counts what is done alone.
func (m *Manifest) Decide(in Ask) Answer {
	c := in.Call
	a := m.decide(in)
	if a.Action >= schema.ActionDeny {
		return a
	}
	for i := range m.quotas {
		q := &m.quotas[i]
		if q.alone && a.Action == schema.ActionGate || len(q.routes) > 0 && !route.AnyMatches(q.routes, c) {
			continue
		}
		if s, ok := q.spend(c, in.Now); ok {
			a.Spends = append(a.Spends, s)
		}
	}
	return a
}

func (m *Manifest) decide(in Ask) Answer {
	c := in.Call
	if in.Task != nil && in.Task.Over(in.Now) {
		return Answer{Action: schema.ActionDeny, Why: WhyTaskOver, Line: "task"}
	}
	if c.Reversibility == schema.ReadOnly {
		if len(m.scope.routes) > 0 && !route.AnyMatches(m.scope.routes, c) {
			return Answer{Action: schema.ActionAnnotate, Why: WhyReadOutside, Line: "scope.routes"}
		}
		return Answer{Why: WhyInScope, Line: "scope"}
	}
	if why, line := m.scope.objects(c, WhyOutside, WhyResource); why != "" {
		return Answer{Action: schema.ActionGate, Why: why, Line: "scope." + line}
	}
	if in.Task != nil {
		if a, bad := m.task(in.Task, c); bad {
			return a
		}
	} else if m.Document.Task == "required" {
		return Answer{Action: schema.ActionGate, Why: WhyNoTask, Line: "task"}
	}
	if t, known := m.types[in.AssertedType]; known && in.AssertedType != "" {
		if why, line := t.objects(c, WhyTaskRoute, WhyTaskTarget); why != "" {
			return Answer{Action: schema.ActionGate, Why: why, Line: "task_types." + in.AssertedType + "." + line}
		}
	}
	if a, bad := m.alone(c); bad {
		return a
	}
	if m.hours != nil && !m.hours.Contains(in.Now) {
		return Answer{Action: schema.ActionGate, Why: WhyHours, Line: "hours"}
	}
	return Answer{Why: WhyInScope, Line: "scope"}
}

// task judges a write by what the orchestrator declared. A write that names no
// resource (what it makes has no name yet) is judged by its route alone.
func (m *Manifest) task(t *schema.Task, c *schema.Call) (Answer, bool) {
	if t.Type != "" && len(m.types) > 0 {
		s, known := m.types[t.Type]
		if !known {
			return Answer{Action: schema.ActionGate, Why: WhyTypeUnknown, Line: "task_types"}, true
		}
		if why, line := s.objects(c, WhyTaskRoute, WhyTaskTarget); why != "" {
			return Answer{Action: schema.ActionGate, Why: why, Line: "task_types." + t.Type + "." + line}, true
		}
	}
	if len(t.Targets) > 0 && len(c.Resources) > 0 {
		if why, _ := (&scope{resources: t.Targets}).objects(c, WhyTaskRoute, WhyTaskTarget); why != "" {
			return Answer{Action: schema.ActionGate, Why: why, Line: "task.targets"}, true
		}
	}
	return Answer{}, false
}

// OfTask is what a declared task says to a call of an agent without a manifest:
// its end, and its targets.
func OfTask(t *schema.Task, c *schema.Call, now int64) Answer {
	if t.Over(now) {
		return Answer{Action: schema.ActionDeny, Why: WhyTaskOver, Line: "task"}
	}
	if c.Reversibility == schema.ReadOnly {
		return Answer{}
	}
	a, _ := (&Manifest{}).task(t, c)
	return a
}

// objects names why a write is outside, and the list that says so.
func (s *scope) objects(c *schema.Call, whyRoute, whyResource string) (why, line string) {
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

// alone reports whether a call needs a yes by itself.
func (m *Manifest) alone(c *schema.Call) (Answer, bool) {
	for i := range m.autonomy {
		a := &m.autonomy[i]
		if !route.AnyMatches(a.routes, c) {
			continue
		}
		gate := func(why, line string) (Answer, bool) {
			return Answer{Action: schema.ActionGate, Why: why, Line: a.key + "." + line}, true
		}
		switch amount, currency, ok := money(c); {
		case a.Ask == "always":
			return gate(WhyAsks, "ask")
		case a.Ask == "never":
			return Answer{}, false
		case !ok:
			return gate(WhyNoAmount, "alone_below")
		case currency == "":
			return gate(WhyNoCurrency, "currency")
		case currency != a.Currency:
			return gate(WhyCurrency, "currency")
		case a.below > 0 && amount >= a.below:
			return gate(WhyAmount, "alone_below")
		}
		return Answer{}, false
	}
	if needsYes(c.Reversibility) {
		return Answer{Action: schema.ActionGate, Why: WhyIrreversible, Line: "autonomy"}, true
	}
	return Answer{}, false
}

// WhenAway is what the manifest wants of a call while the log is away.
func (m *Manifest) WhenAway(r schema.Reversibility) schema.Action {
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
