package check

import (
	"flyball/detect/enforce/ledger"
	"flyball/detect/enforce/manifest"
	"flyball/detect/enforce/point"
	"flyball/schema"
	"flyball/schema/route"
)

// Named reasons of a call that can be read in several ways.
const (
	// whyAmbiguousPath: servers read the path in different ways, and not every reading may pass.
	whyAmbiguousPath = "ambiguous_path"
	// whyAmbiguousCall: the request names two methods or two tools, and a grant of one would
	// also allow the other.
	whyAmbiguousCall = "ambiguous_request"
	// whyUnreadable: the path, or the request's methods, have more readings than are evaluated.
	whyUnreadable = "path_unreadable"
)

// differences between the decisions on the readings of one call.
type differences struct {
	unsafe       bool // at least one reading is not read-only
	enforced     bool // the decision on an ambiguous reading differs
	observed     bool // it would differ if everything were armed
	twoQuestions bool // two readings need different grants
}

// weighOthers evaluates a call in its other readings too, and returns the call in the reading that
// decided. The most severe decision is used. An unsafe call is refused if the decision on an
// ambiguous reading differs or two readings need different grants: a grant of one reading would
// also allow the other. Spends are the maximum over all readings.
func weighOthers(v point.View, e *evaluation, d *ledger.Decision) *schema.Call {
	first, worst := *d, e.req.Call
	diff := differences{unsafe: !isReadOnly(e.req.Call)}
	for i := range e.q.others {
		o := &e.q.others[i]
		other := *e.req
		other.Call = &o.Call
		od := v.Decide(&other)
		diff.add(e.req.Call, o, &first, &od)
		if isWorse(&od, d, &o.Call, worst) {
			worst = &o.Call
		}
		mergeDecision(d, &od, worst == &o.Call)
	}
	why, enforced := diff.refuse(e.q.readable, d)
	if why == whyUnreadable {
		enforced = d.Action >= schema.ActionThrottle || v.Breakers.HoldsRoutes(e.call.Tenant) || armedForAnyFamily(e.req.Armed, e.call.AgentID)
	}
	if why != "" {
		refuseReading(d, why, enforced)
	}
	return worst
}

// add compares the decision on another reading with the decision on the first one.
func (x *differences) add(call *schema.Call, o *route.Other, first, other *ledger.Decision) {
	x.unsafe = x.unsafe || !isReadOnly(&o.Call)
	same := sameQuestion(call, &o.Call)
	if o.Ambiguous {
		x.enforced = x.enforced || !outcome{first.Action, first.Why}.equals(outcome{other.Action, other.Why}, same)
		x.observed = x.observed || !outcome{first.Would, first.WouldWhy}.equals(outcome{other.Would, other.WouldWhy}, same)
	}
	x.twoQuestions = x.twoQuestions || first.Action == schema.ActionGate && other.Action == schema.ActionGate && !same &&
		(o.Call.Method != call.Method || o.Call.ToolName != "" || o.Call.RouteSource == schema.RouteFromConfig)
}

// refuse returns the reason to refuse a call for its readings; empty: none.
func (x *differences) refuse(readable bool, d *ledger.Decision) (why string, enforced bool) {
	switch {
	case !x.unsafe:
	case !readable:
		return whyUnreadable, false
	case x.enforced && d.Action >= schema.ActionThrottle:
		return whyAmbiguousPath, true
	case x.twoQuestions:
		return whyAmbiguousCall, true
	case x.observed && d.Would >= schema.ActionThrottle:
		return whyAmbiguousPath, false
	}
	return "", false
}

// isWorse reports whether the decision on another reading replaces the current one.
func isWorse(other, d *ledger.Decision, call, worst *schema.Call) bool {
	if other.Action != d.Action {
		return other.Action > d.Action
	}
	if other.Probe != d.Probe {
		return d.Probe
	}
	return route.Worse(call, worst)
}

// mergeDecision merges the decision on another reading into d; replaces: the other decision
// replaces d.
func mergeDecision(d, other *ledger.Decision, replaces bool) {
	spends, would, wouldWhy := joinSpends(d.Spends, other.Spends), d.Would, d.WouldWhy
	if replaces {
		*d = *other
	}
	if would > d.Would {
		d.Would, d.WouldWhy = would, wouldWhy
	}
	if other.Would > d.Would {
		d.Would, d.WouldWhy = other.Would, other.WouldWhy
	}
	d.Spends = spends
}

// refuseReading changes a decision to a denial or, if it is not enforced, records that it would be
// a denial.
func refuseReading(d *ledger.Decision, why string, enforced bool) {
	if schema.ActionDeny > d.Would {
		d.Would, d.WouldWhy = schema.ActionDeny, why
	}
	if enforced && !d.Bypassed && d.Action < schema.ActionDeny {
		d.Action, d.Why, d.By, d.Breaker, d.Line, d.Probe = schema.ActionDeny, why, "path", nil, "", false
	}
}

func isReadOnly(c *schema.Call) bool { return c.Reversibility == schema.ReadOnly }

// outcome is what becomes of a call by one of its readings, and why.
type outcome struct {
	action schema.Action
	why    string
}

// equals reports whether two readings have the same outcome: both let the call pass, or both do the same for the same reason and, if
// a person's approval is needed, with the same question.
func (o outcome) equals(other outcome, sameQuestion bool) bool {
	if o.action < schema.ActionThrottle && other.action < schema.ActionThrottle {
		return true
	}
	return o == other && (o.action != schema.ActionGate || sameQuestion)
}

func sameQuestion(a, b *schema.Call) bool {
	return a.RouteName() == b.RouteName() && lastResource(a) == lastResource(b)
}

// joinSpends returns, for each quota, the maximum of what two readings of a call spend.
func joinSpends(a, b []manifest.Spend) []manifest.Spend {
next:
	for _, s := range b {
		for i := range a {
			if a[i].Key == s.Key && a[i].Of == s.Of {
				a[i].Units = max(a[i].Units, s.Units)
				continue next
			}
		}
		a = append(a, s)
	}
	return a
}

// armedForAnyFamily reports whether any family of policy is enforced for an agent.
func armedForAnyFamily(armed func(agent, family string) bool, agent string) bool {
	for _, family := range [...]string{"policy.scope", "policy.task", "policy.autonomy", "policy.hours", "policy.quota", schema.FamilyScope} {
		if armed(agent, family) {
			return true
		}
	}
	return false
}

// lastResource returns the resource that a question about a call names; "": unknown.
func lastResource(c *schema.Call) string {
	if n := len(c.Resources); n > 0 && c.Resources[n-1].ID != "?" {
		return c.Resources[n-1].String()
	}
	return ""
}
