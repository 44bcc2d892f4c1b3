package ledger

import (
	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/scope"
	"flyball/schema"
)

// WhyLearned is what precedes the reasons of learned scopes; all of them are armed
// as the family scope.
const WhyLearned = "scope.learned:"

// learned weighs what the log side will say of the same call. A name that was only
// asserted is judged by what was learned under that saying, and by nothing of the
// agent whose name it is.
func (s *State) learned(d *Decision, r *Request) {
	c := r.Call
	var f feature.Input
	var seen scope.Access
	feature.Extract(c, &f)
	scope.FromCall(c, &f, &seen)
	d.Scope = r.Scopes.Assess(scope.Query{Agent: baseline.AgentKey(c.AgentID, c.AgentTrust), Group: baseline.PeerGroup(c.AgentID, c.CallerKind),
		Declared: d.Task, Logged: c.TaskID, Trust: c.TaskTrust, Access: &seen})
	if !d.Scope.Placement.NeedsApproval() {
		return
	}
	mode := schema.ModeObserve
	if s.Armed(r, schema.FamilyScope) {
		mode = schema.ModeArmed
	}
	line := d.Scope.Source
	if d.weigh(Objection{By: "learned_scope", Action: schema.ActionGate, Why: WhyLearned + d.Scope.Placement.String(), Mode: mode, About: line}) {
		d.Line = line
	}
}
