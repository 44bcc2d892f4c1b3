package manifest

import (
	"path"
	"slices"

	"flyball/detect/enforce"
	"flyball/schema"
	"flyball/schema/route"
	"flyball/schema/schedule"
)

// Manifest is a valid document in a compiled form that can evaluate calls.
type Manifest struct {
	Document Document
	pattern  bool // the agent is a pattern
	grants   grants
	types    map[string]grants // by type of task
	autonomy []autonomy
	quotas   []quota
	hours    *schedule.Compiled
	failure  FailureMode
}

type grants struct {
	key       string // in the document
	routes    []route.Pattern
	resources []string
}

type autonomy struct {
	Autonomy
	key    string // in the document
	routes []route.Pattern
	below  int64 // AloneBelow in thousandths
}

type quota struct {
	Quota
	key            string // in the document
	routes         []route.Pattern
	limit          int64 // units
	autonomousOnly bool  // counts only calls that need no approval
}

// Named reasons of an evaluation. The part before the colon is the family, which can be armed
// separately: policy.scope, policy.task, policy.autonomy, policy.hours, policy.quota.
const (
	whyInScope        = "in_scope"
	WhyNoManifest     = "no_manifest"
	whyReadOutside    = "policy.scope:read_outside"
	WhyOutside        = "policy.scope:route_outside"
	whyResource       = "policy.scope:resource_outside"
	whyResourceHidden = "policy.scope:resource_unknown"
	whyTaskRoute      = "policy.task:route_outside"
	whyTaskTarget     = "policy.task:target_outside"
	whyTaskOver       = "policy.task:after_task"
	whyNoTask         = "policy.task:none_declared"
	whyTypeUnknown    = "policy.task:type_unknown"
	whyAlwaysAsks     = "policy.autonomy:always_asks"
	whyIrreversible   = "policy.autonomy:irreversible_not_granted"
	whyAmount         = "policy.autonomy:amount_above"
	whyNoAmount       = "policy.autonomy:amount_unknown"
	whyCurrency       = "policy.autonomy:currency_differs"
	whyNoCurrency     = "policy.autonomy:currency_unknown"
	whyHours          = "policy.hours:outside"
	whyQuota          = "policy.quota:spent"
	whyAutonomySpent  = "policy.autonomy:spent_alone"
	WhyLogStale       = "policy.failure:log_away"
)

// Evaluation is the result of a manifest for one call.
type Evaluation struct {
	Action schema.Action // none, annotate, gate or deny
	Why    string
	Line   string // the deciding key of the document
	Spends []Spend
}

// Evaluate evaluates a call at a time of the log's clock (Unix ns). The first failed check decides.
// The checks are, in this order: the task has ended (deny); a read passes; granted routes and
// resources; the declared task; the type of task that the caller claims; autonomy; hours. A call
// that is not denied spends quotas, but a call that needs approval does not spend quotas that count
// only calls without approval.
func (m *Manifest) Evaluate(r *enforce.Request, now int64) Evaluation {
	e := m.evaluate(r, now)
	if e.Action >= schema.ActionDeny {
		return e
	}
	for i := range m.quotas {
		q := &m.quotas[i]
		if q.autonomousOnly && e.Action == schema.ActionGate || len(q.routes) > 0 && !route.AnyMatches(q.routes, r.Call) {
			continue
		}
		if s, ok := q.spend(r.Call, now); ok {
			e.Spends = append(e.Spends, s)
		}
	}
	return e
}

func (m *Manifest) evaluate(r *enforce.Request, now int64) Evaluation {
	c := r.Call
	if r.Task != nil && r.Task.HasEnded(now) {
		return Evaluation{Action: schema.ActionDeny, Why: whyTaskOver, Line: "task"}
	}
	if c.Reversibility == schema.ReadOnly {
		if len(m.grants.routes) > 0 && !route.AnyMatches(m.grants.routes, c) {
			return Evaluation{Action: schema.ActionAnnotate, Why: whyReadOutside, Line: "scope.routes"}
		}
		return Evaluation{Why: whyInScope, Line: "scope"}
	}
	if why, line := m.checkWrite(r, now); why != "" {
		return Evaluation{Action: schema.ActionGate, Why: why, Line: line}
	}
	return Evaluation{Why: whyInScope, Line: "scope"}
}

// checkWrite returns why a write needs approval and the deciding line, or "".
func (m *Manifest) checkWrite(r *enforce.Request, now int64) (why, line string) {
	c := r.Call
	if why, line = m.grants.check(c, WhyOutside, whyResource); why != "" {
		return why, line
	}
	if why, line = m.checkTask(r.Task, c); why != "" {
		return why, line
	}
	if g, known := m.types[r.ClaimedTaskType]; known && r.ClaimedTaskType != "" {
		if why, line = g.check(c, whyTaskRoute, whyTaskTarget); why != "" {
			return why, line
		}
	}
	if why, line = m.checkAutonomy(c); why != "" {
		return why, line
	}
	if m.hours != nil && !m.hours.Contains(now) {
		return whyHours, "hours"
	}
	return "", ""
}

// checkTask checks a write against the task that the orchestrator declared. A write that
// names no resource (one that creates it) is checked by its route alone.
func (m *Manifest) checkTask(t *schema.Task, c *schema.Call) (why, line string) {
	if t == nil {
		if m.Document.Task == "required" {
			return whyNoTask, "task"
		}
		return "", ""
	}
	if t.Type != "" && len(m.types) > 0 {
		g, known := m.types[t.Type]
		if !known {
			return whyTypeUnknown, "task_types"
		}
		if why, line := g.check(c, whyTaskRoute, whyTaskTarget); why != "" {
			return why, line
		}
	}
	if len(t.Targets) > 0 && len(c.Resources) > 0 {
		if why, _ := (&grants{resources: t.Targets}).check(c, whyTaskRoute, whyTaskTarget); why != "" {
			return why, "task.targets"
		}
	}
	return "", ""
}

// EvaluateTask evaluates a call by a declared task alone, for an agent without a manifest: by the
// task's end and its targets.
func EvaluateTask(t *schema.Task, c *schema.Call, now int64) Evaluation {
	if t.HasEnded(now) {
		return Evaluation{Action: schema.ActionDeny, Why: whyTaskOver, Line: "task"}
	}
	if c.Reversibility == schema.ReadOnly {
		return Evaluation{}
	}
	if why, line := (&Manifest{}).checkTask(t, c); why != "" {
		return Evaluation{Action: schema.ActionGate, Why: why, Line: line}
	}
	return Evaluation{}
}

// check returns why a write is outside of what is granted, and the deciding list, or "".
func (g *grants) check(c *schema.Call, whyRoute, whyResource string) (why, line string) {
	if len(g.routes) > 0 && !route.AnyMatches(g.routes, c) {
		return whyRoute, g.key + ".routes"
	}
	if len(g.resources) == 0 {
		return "", ""
	}
	for _, r := range c.Resources {
		if r.ID == "?" { // unknown resource of a kind: only a pattern for the whole kind grants it
			if r.Source == schema.ProvenanceQuery || r.Source == schema.ProvenanceToolArguments {
				continue // named beside others, in a form that is not read: see route.resources
			}
			if !slices.Contains(g.resources, r.Type+":*") {
				return whyResourceHidden, g.key + ".resources"
			}
			continue
		}
		name := r.String()
		if !slices.ContainsFunc(g.resources, func(p string) bool { ok, _ := path.Match(p, name); return ok }) {
			return whyResource, g.key + ".resources"
		}
	}
	return "", ""
}

// checkAutonomy returns why a call needs approval, from the first entry of autonomy for its route,
// or because it is irreversible and has no entry; else "".
func (m *Manifest) checkAutonomy(c *schema.Call) (why, line string) {
	for i := range m.autonomy {
		if a := &m.autonomy[i]; route.AnyMatches(a.routes, c) {
			if why, line = a.check(c); why != "" {
				line = a.key + "." + line
			}
			return why, line
		}
	}
	if c.Reversibility == schema.Irreversible {
		return whyIrreversible, "autonomy"
	}
	return "", ""
}

func (a *autonomy) check(c *schema.Call) (why, line string) {
	switch a.Ask {
	case "always":
		return whyAlwaysAsks, "ask"
	case "never":
		return "", ""
	}
	switch amount, currency, ok := AmountInThousandths(c); {
	case !ok:
		return whyNoAmount, "alone_below"
	case currency == "":
		return whyNoCurrency, "currency"
	case currency != a.Currency:
		return whyCurrency, "currency"
	case a.below > 0 && amount >= a.below:
		return whyAmount, "alone_below"
	}
	return "", ""
}

// WhenLogStale returns the action on calls of a reversibility while the log is stale. Without a
// manifest (m is nil) the default applies.
func (m *Manifest) WhenLogStale(r schema.Reversibility) schema.Action {
	failure := defaultFailureMode
	if m != nil {
		failure = m.failure
	}
	mode := failure.Writes
	switch r {
	case schema.ReadOnly:
		mode = failure.Reads
	case schema.Irreversible:
		mode = failure.Irreversible
	}
	if mode == "deny" {
		return schema.ActionDeny
	}
	return schema.ActionNone
}

// defaultFailureMode lets calls pass unless they are irreversible.
var defaultFailureMode = FailureMode{Reads: "allow", Writes: "allow", Irreversible: "deny"}
