package api

import (
	"strconv"
	"strings"

	"flyball/detect/enforce/ledger"
	"flyball/detect/enforce/manifest"
	"flyball/schema"
	"flyball/schema/route"
)

// Named reasons of a call that can be read in several ways.
const (
	// whyAmbiguousPath: servers read the path in different ways, and not every way may pass.
	whyAmbiguousPath = "ambiguous_path"
	// whyAmbiguousCall: the request names two methods or two tools, and a yes to the one
	// would be a yes to the other.
	whyAmbiguousCall = "ambiguous_request"
	// whyUnreadable: the path, or the request's methods, are too many to be weighed.
	whyUnreadable = "path_unreadable"
)

// weighOthers decides a call by its other readings too. The most severe decision
// holds, and the call is returned as it was read there. If an ambiguous reading is
// decided in another way, or two readings ask different questions, an unsafe call is
// refused: a yes to the one reading would be a yes to the other. Spends are those of all readings, each at its most. The caller
// holds c.mu.
func (c *Control) weighOthers(r *ledger.Request, d *ledger.Decision, q *request) *schema.Call {
	first, worst := *d, r.Call
	unsafe, differs, wouldDiffer, asksTwo := !readOnly(r.Call), false, false, false
	for i := range q.others {
		o := &q.others[i]
		one := *r
		one.Call = &o.Call
		od := c.state.Decide(&one)
		unsafe = unsafe || !readOnly(&o.Call)
		if o.Ambiguous {
			differs = differs || !same(first.Action, od.Action, first.Why, od.Why, r.Call, &o.Call)
			wouldDiffer = wouldDiffer || !same(first.Would, od.Would, first.WouldWhy, od.WouldWhy, r.Call, &o.Call)
		}
		asksTwo = asksTwo || first.Action == schema.ActionGate && od.Action == schema.ActionGate && !sameQuestion(r.Call, &o.Call) &&
			(o.Call.Method != r.Call.Method || o.Call.ToolName != "" || o.Call.RouteSource == schema.RouteFromConfig)
		spends, would, wouldWhy := joinSpends(d.Spends, od.Spends), d.Would, d.WouldWhy
		if od.Action > d.Action || od.Action == d.Action && (d.Probe && !od.Probe || d.Probe == od.Probe && route.Worse(&o.Call, worst)) {
			*d, worst = od, &o.Call
		}
		if would > d.Would {
			d.Would, d.WouldWhy = would, wouldWhy
		}
		if od.Would > d.Would {
			d.Would, d.WouldWhy = od.Would, od.WouldWhy
		}
		d.Spends = spends
	}
	refuse := func(why string, enforced bool) {
		if schema.ActionDeny > d.Would {
			d.Would, d.WouldWhy = schema.ActionDeny, why
		}
		if enforced && !d.Bypassed && d.Action < schema.ActionDeny {
			d.Action, d.Why, d.By, d.Breaker, d.Line, d.Probe = schema.ActionDeny, why, "path", nil, "", false
		}
	}
	switch {
	case !unsafe:
	case !q.readable:
		refuse(whyUnreadable, d.Action >= schema.ActionThrottle || c.state.Breakers.HoldsRoutes(r.Call.Tenant) || c.armedAtAll(r.Call.AgentID))
	case differs && d.Action >= schema.ActionThrottle:
		refuse(whyAmbiguousPath, true)
	case asksTwo:
		refuse(whyAmbiguousCall, true)
	case wouldDiffer && d.Would >= schema.ActionThrottle:
		refuse(whyAmbiguousPath, false)
	}
	return worst
}

func readOnly(c *schema.Call) bool { return c.Reversibility == schema.ReadOnly }

// same reports whether two readings of a call meet the same: of a gate, the same question.
func same(a, b schema.Action, whyA, whyB string, callA, callB *schema.Call) bool {
	if a < schema.ActionThrottle && b < schema.ActionThrottle {
		return true
	}
	return a == b && whyA == whyB && (a != schema.ActionGate || sameQuestion(callA, callB))
}

func sameQuestion(a, b *schema.Call) bool {
	return ledger.RouteOf(a) == ledger.RouteOf(b) && resourceOf(a) == resourceOf(b)
}

// joinSpends are what two readings of a call take out of quotas.
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

// armedAtAll reports whether anything of policy is enforced for an agent.
func (c *Control) armedAtAll(agent string) bool {
	for _, family := range [...]string{"policy.scope", "policy.task", "policy.autonomy", "policy.hours", "policy.quota", schema.FamilyScope} {
		if c.o.Armed(agent, family) {
			return true
		}
	}
	return false
}

// resourceOf is what a question about a call names: its last resource.
func resourceOf(c *schema.Call) string {
	if n := len(c.Resources); n > 0 && c.Resources[n-1].ID != "?" {
		return c.Resources[n-1].String()
	}
	return ""
}

// overrides are the other methods that a request's headers name, comma-joined.
func (q *request) overrides() string {
	var out string
	for _, name := range route.MethodHeaders {
		if v := q.all(name); v != "" {
			out += "," + v
		}
	}
	return strings.TrimPrefix(out, ",")
}

// all are the values of a header, comma-joined.
func (q *request) all(name string) string {
	if q.joined != nil {
		return q.joined(name)
	}
	return q.headers(name)
}

// partial reports whether the gateway showed less of the body than there is.
func (q *request) partial() bool {
	if len(q.body) > MaxBody || strings.EqualFold(strings.TrimSpace(q.all("x-envoy-auth-partial-body")), "true") {
		return true
	}
	n, err := strconv.ParseUint(q.headers("content-length"), 10, 63)
	return err == nil && len(q.body) > 0 && n > uint64(len(q.body))
}
