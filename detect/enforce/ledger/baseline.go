package ledger

import (
	"flyball/detect/enforce"
	"flyball/schema"
)

// maxFreeze bounds what has an end; what has none ends by hand.
const maxFreeze = int64(366 * 24 * 3600e9)

// orderBaseline makes an event of an order about a baseline. No state changes: learn
// reads it where the event is stored.
func orderBaseline(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	o := c.Baseline
	switch {
	case o == nil || o.Agent == "":
		return enforce.Result{Code: enforce.Rejected, Detail: "no agent in the order"}, nil
	case c.Reason == "":
		return enforce.Result{Code: enforce.Rejected, Detail: "no reason in the order"}, nil
	case o.Kind != schema.OrderFreeze && o.Kind != schema.OrderReset:
		return enforce.Result{Code: enforce.Rejected, Detail: "an order is freeze or reset"}, nil
	case o.Kind == schema.OrderReset && (o.Agent == schema.EveryAgent || o.Off || c.TTL != 0):
		return enforce.Result{Code: enforce.Rejected, Detail: "a reset is of one agent, and has no end"}, nil
	case c.TTL < 0 || c.TTL > maxFreeze || o.Off && c.TTL != 0:
		return enforce.Result{Code: enforce.Rejected, Detail: "a freeze lasts at most 366 days, or has no end"}, nil
	}
	out := *o
	out.Tenant, out.By, out.Why, out.At, out.Generation, out.Until = c.Tenant, c.By, c.Reason, at.Time, at.Generation(), 0
	if c.TTL > 0 {
		out.Until = at.Time + c.TTL
	}
	return enforce.Result{Code: enforce.BaselineOrdered, Ref: out.Agent}, []schema.Event{schema.BaselineEvent(&out)}
}
