package ledger

import "flyball/schema"

// Ordered is the outcome of an order about a baseline.
const Ordered = "ordered"

// maxFreeze bounds what has an end; what has none ends by hand.
const maxFreeze = int64(366 * 24 * 3600e9)

// baseline is an order about a baseline. It is kept by nobody here: it is an event
// and an entry of the trail, and learn reads it where the event is stored.
func (s *State) baseline(c *schema.Command) (Result, []schema.Event) {
	o := c.Baseline
	switch {
	case o == nil || o.Agent == "":
		return Result{Outcome: Refused, Detail: "no agent in the order"}, nil
	case c.Reason == "":
		return Result{Outcome: Refused, Detail: "no reason in the order"}, nil
	case o.Kind != schema.OrderFreeze && o.Kind != schema.OrderReset:
		return Result{Outcome: Refused, Detail: "an order is freeze or reset"}, nil
	case o.Kind == schema.OrderReset && (o.Agent == schema.EveryAgent || o.Off || c.TTL != 0):
		return Result{Outcome: Refused, Detail: "a reset is of one agent, and has no end"}, nil
	case c.TTL < 0 || c.TTL > maxFreeze || o.Off && c.TTL != 0:
		return Result{Outcome: Refused, Detail: "a freeze lasts at most 366 days, or has no end"}, nil
	}
	out := *o
	out.Tenant, out.By, out.Why, out.At, out.Generation, out.Until = c.Tenant, c.By, c.Reason, s.Clock, s.generation(), 0
	if c.TTL > 0 {
		out.Until = s.Clock + c.TTL
	}
	return Result{Outcome: Ordered, Ref: out.Agent}, []schema.Event{schema.BaselineEvent(&out)}
}
