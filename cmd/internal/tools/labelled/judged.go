package labelled

import (
	"flyball/detect/evaluate"
	"flyball/detect/feature"
	"flyball/detect/model/baseline"
)

// ForEvaluation is the run as the evaluation sees it: what detect counts of its calls, and
// what is known of it beyond them.
func (r *Example) ForEvaluation() *evaluate.Labelled {
	l := &r.Label
	out := &evaluate.Labelled{ID: r.ID, Set: r.Set, Agent: r.Agent, Task: r.Task,
		Attacked: l.Attacked, Succeeded: l.AttackSucceeded != nil && *l.AttackSucceeded && l.AttackGoal != nil,
		Ignored:     l.Attacked && l.AttackSucceeded != nil && !*l.AttackSucceeded,
		NaturalLoop: l.NaturalLoop, FirstBad: -1, Kind: l.Kind, Speed: l.Speed, Base: l.BaseRun, Onset: l.Onset}
	if l.Failure != nil {
		out.Failure = *l.Failure
	}
	if l.FirstMalicious != nil {
		out.FirstBad = *l.FirstMalicious
	}
	for i := range r.Calls {
		c := &r.Calls[i]
		if i == 0 {
			out.Agent, out.Group = baseline.AgentKey(c.AgentID, c.AgentTrust), baseline.PeerGroup(c.AgentID, c.CallerKind)
			out.Start, out.LoggedTask, out.TaskTrust = c.StartTime(), c.TaskID, c.TaskTrust
		}
		call := evaluate.LabelledCall{
			Route:     feature.RouteName(c.Method, c.RouteKey, c.Operation),
			Named:     c.Resources,
			Resources: r.Named[i],
			Read:      c.Method == "GET" || c.Method == "HEAD" || c.Method == "OPTIONS",
		}
		feature.Extract(c, &call.Input)
		out.Calls = append(out.Calls, call)
	}
	return out
}
