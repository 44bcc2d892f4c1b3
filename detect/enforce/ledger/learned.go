package ledger

import (
	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/scope"
	"flyball/schema"
)

// learnedScope adds the objection that the detector will have to the same call. A caller that only
// asserts a name is compared with what was learned of callers that asserted it, not with what was
// learned of the agent.
func (d *decider) learnedScope() {
	c := d.r.Call
	var f feature.Input
	var seen scope.Access
	feature.Extract(c, &f)
	scope.FromCall(c, &f, &seen)
	d.Scope = d.r.Scopes.Assess(scope.Query{Agent: baseline.AgentKey(c.AgentID, c.AgentTrust),
		Group:    baseline.PeerGroup(c.AgentID, c.CallerKind),
		Declared: d.Task, Logged: c.TaskID, Trust: c.TaskTrust, Access: &seen})
	if !d.Scope.Placement.NeedsApproval() {
		return
	}
	o := Objection{By: "learned_scope", Action: schema.ActionGate, Why: whyLearned + d.Scope.Placement.String(),
		Mode: d.mode(schema.FamilyScope), About: d.Scope.Source}
	if d.add(o) {
		d.Line = o.About
	}
}
