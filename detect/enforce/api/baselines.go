package api

import (
	"flyball/detect/enforce"
	"flyball/schema"
)

// baselines holds the operations on the counts of agents' baselines.
type baselines struct{ *server }

func (b *baselines) operations() []operation {
	return []operation{
		withBody(operation{path: "/v1/baselines/freeze", id: "freezeBaseline", role: Responder, answer: ChangeResult{}, problems: []int{409},
			summary: "Freeze the counts of an agent's baseline, or end the freeze"}, b.freeze),
		withBody(operation{path: "/v1/baselines/reset", id: "resetBaseline", role: Admin, answer: ChangeResult{}, problems: []int{409},
			summary: "Reset the counts of an agent's baseline: it is learned again from later runs"}, b.reset),
	}
}

func (b *baselines) freeze(x *exchange, in *FreezeBaselineRequest) {
	x.submit(change{command: schema.Command{Kind: schema.CommandBaseline, By: x.by(in.By), Reason: in.Reason, TTL: in.Seconds * 1e9,
		Baseline: &schema.BaselineOrder{Agent: in.Agent, Kind: schema.OrderFreeze, Off: in.Off}}, success: enforce.BaselineOrdered,
		until: func(string) string {
			if in.Seconds == 0 {
				return ""
			}
			v := b.o.State.Acquire()
			defer v.Release()
			return timestamp(v.Position.Time + in.Seconds*1e9)
		}})
}

func (b *baselines) reset(x *exchange, in *ResetBaselineRequest) {
	x.submit(change{command: schema.Command{Kind: schema.CommandBaseline, By: x.by(in.By), Reason: in.Reason,
		Baseline: &schema.BaselineOrder{Agent: in.Agent, Kind: schema.OrderReset}}, success: enforce.BaselineOrdered})
}
