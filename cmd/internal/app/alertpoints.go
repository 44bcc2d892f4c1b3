package app

import (
	"context"
	"time"

	"flyball/alerts/incident"
	"flyball/alerts/pager"
	"flyball/schema"
)

// withPoints returns a receiver whose pages say at which enforcement points their breaker is in force. live returns the points' newest
// heartbeats.
func withPoints(r pager.Receiver, live func() []schema.PointState) pager.Receiver {
	pointed := pointedReceiver{r, live}
	if refresher, ok := r.(pager.Refresher); ok {
		return struct {
			pointedReceiver
			pager.Refresher
		}{pointed, refresher}
	}
	return pointed
}

type pointedReceiver struct {
	pager.Receiver
	live func() []schema.PointState
}

// Deliver adds the points to a page with a breaker that holds.
func (r pointedReceiver) Deliver(ctx context.Context, p *incident.Page) error {
	if p.Breaker == nil || p.Breaker.State == schema.BreakerClosed {
		return r.Receiver.Deliver(ctx, p)
	}
	page, breaker := *p, *p.Breaker
	breaker.Points = effects(r.live(), breaker.Generation)
	page.Breaker = &breaker
	return r.Receiver.Deliver(ctx, &page)
}

// effects returns what each point has reported about the breaker of a generation.
func effects(points []schema.PointState, generation uint64) []incident.PointEffect {
	var out []incident.PointEffect
	for _, p := range points {
		e := incident.PointEffect{Point: p.Point}
		for _, t := range p.Traces {
			if t.Generation == generation && t.Applied != 0 {
				at := time.Unix(0, t.Applied).UTC()
				e.Applied, e.Denied = &at, t.Denied
			}
		}
		out = append(out, e)
	}
	return out
}
