package api

import (
	"flyball/detect/enforce"
	"flyball/schema"
)

func (c *Control) freezeBaseline(in *call) {
	ask := in.ask.(*FreezeBaselineRequest)
	in.submit(c, schema.Command{Kind: schema.CommandBaseline, By: in.who.named(ask.By), Reason: ask.Reason, TTL: ask.Seconds * 1e9,
		Baseline: &schema.BaselineOrder{Agent: ask.Agent, Kind: schema.OrderFreeze, Off: ask.Off}}, enforce.BaselineOrdered, nil, done)
}

func (c *Control) resetBaseline(in *call) {
	ask := in.ask.(*ResetBaselineRequest)
	in.submit(c, schema.Command{Kind: schema.CommandBaseline, By: in.who.named(ask.By), Reason: ask.Reason,
		Baseline: &schema.BaselineOrder{Agent: ask.Agent, Kind: schema.OrderReset}}, enforce.BaselineOrdered, nil, done)
}
