package ledger

import (
	"strings"

	"flyball/detect/enforce"
	"flyball/schema"
)

// recordVerdict returns an event with a person's verdict on a finding. It changes no state.
func recordVerdict(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	if c.Verdict == nil || c.Verdict.FindingID == "" || c.Verdict.Label == schema.VerdictUnknown || c.Reason == "" {
		return enforce.Result{Code: enforce.Rejected}, nil
	}
	v := *c.Verdict
	v.Tenant, v.By, v.Why, v.At, v.Generation = c.Tenant, c.By, c.Reason, at.Time, at.Generation()
	return enforce.Result{Code: enforce.VerdictRecorded, Ref: v.FindingID}, []schema.Event{schema.VerdictEvent(&v)}
}

// maxFreeze is the maximum duration, in ns, of a freeze that has an end. A command ends a freeze
// without an end.
const maxFreeze = int64(366 * 24 * 3600e9)

// orderBaseline returns an event with an order about a baseline. It changes no state: learn reads
// the stored event.
func orderBaseline(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	if detail := checkOrder(c); detail != "" {
		return enforce.Result{Code: enforce.Rejected, Detail: detail}, nil
	}
	o := *c.Baseline
	o.Tenant, o.By, o.Why, o.At, o.Generation, o.Until = c.Tenant, c.By, c.Reason, at.Time, at.Generation(), 0
	if c.TTL > 0 {
		o.Until = at.Time + c.TTL
	}
	return enforce.Result{Code: enforce.BaselineOrdered, Ref: o.Agent}, []schema.Event{schema.BaselineEvent(&o)}
}

// checkOrder returns what is wrong with an order about a baseline, or "".
func checkOrder(c *schema.Command) string {
	o := c.Baseline
	switch {
	case o == nil || o.Agent == "":
		return "no agent in the order"
	case c.Reason == "":
		return "no reason in the order"
	case o.Kind != schema.OrderFreeze && o.Kind != schema.OrderReset:
		return "an order is freeze or reset"
	case o.Kind == schema.OrderReset && (o.Agent == schema.EveryAgent || o.Off || c.TTL != 0):
		return "a reset is of one agent, and has no end"
	case c.TTL < 0 || c.TTL > maxFreeze || o.Off && c.TTL != 0:
		return "a freeze lasts at most 366 days, or has no end"
	}
	return ""
}

// orderHold returns an event with a hold on a run, or its release. It changes no state: the store copies
// and deletes rows by what is stored of the events.
func orderHold(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	if c.Hold == nil || c.Hold.RunID == (schema.RunID{}) || c.Reason == "" {
		return enforce.Result{Code: enforce.Rejected}, nil
	}
	h := schema.Hold{Tenant: c.Tenant, RunID: c.Hold.RunID, Released: c.Kind == schema.CommandHoldRelease, At: at.Time, By: c.By,
		Why: c.Reason, Generation: at.Generation()}
	r := enforce.Result{Code: enforce.RunHeld, Ref: h.RunID.String()}
	if h.Released {
		r.Code = enforce.HoldReleased
	}
	return r, []schema.Event{schema.HoldEvent(&h)}
}

// recordPurge accepts the record of a purge. The result is only an entry of the audit trail.
func recordPurge(_ enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	if c.Purge == nil || !isKeyedPrincipal(c.Purge.Principal) || c.Reason == "" {
		return enforce.Result{Code: enforce.Rejected}, nil
	}
	return enforce.Result{Code: enforce.PurgeRecorded, Ref: c.Purge.Principal}, nil
}

// isKeyedPrincipal reports whether a text has the form of the keyed id of a principal. A name would stay
// in the audit trail for ever.
func isKeyedPrincipal(text string) bool {
	rest, ok := strings.CutPrefix(text, "p_")
	return ok && len(rest) == 16 && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz234567") == ""
}
