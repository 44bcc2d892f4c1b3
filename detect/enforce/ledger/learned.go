package ledger

import (
	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/scope"
	"flyball/schema"
)

// learnedScope checks what the detector will say of the same call. A caller that only
// asserts a name is compared with what was learned of callers that asserted it, not with
// what was learned of the agent.
func (d *decider) learnedScope() {
	c := d.r.Call
	var f feature.Call
	var seen scope.Call
	feature.Of(c, &f)
	scope.Of(c, &f, &seen)
	d.Scope = d.r.Scopes.Answer(scope.Ask{Agent: baseline.AgentKey(c.AgentID, c.AgentTrust), Group: baseline.PeerGroup(c.AgentID, c.CallerKind),
		Declared: d.Task, Logged: c.TaskID, Trust: c.TaskTrust, Call: &seen})
	if !d.Scope.Is.Holds() {
		return
	}
	o := Objection{By: "learned_scope", Action: schema.ActionGate, Why: WhyLearned + d.Scope.Is.String(),
		Mode: d.mode(schema.FamilyScope), About: d.Scope.From}
	if d.add(o) {
		d.Line = o.About
	}
}
