// Package policy turns findings into decisions.
//
// It refuses to look at anything but its input: no clock, no state, no I/O. The
// same input makes the same decision, and every decision names its reason.
package policy

import (
	"path"
	"strings"
	"time"

	"flyball/schema"
)

// Rules are the operator's.
type Rules struct {
	// Armed enforces for every agent; ArmedAgents for the agents that match one
	// of these patterns (as path.Match: "billing/*"). Everything else observes.
	Armed       bool
	ArmedAgents []string
	// TTL of a trip.
	TTL time.Duration
	// TooOld is the age beyond which a call is history: what it leads to is
	// recorded and not enforced.
	TooOld time.Duration
}

// DefaultRules observe.
func DefaultRules() Rules { return Rules{TTL: 15 * time.Minute, TooOld: 15 * time.Minute} }

// Input is what a decision is made of.
type Input struct {
	Finding *schema.Finding
	Run     *schema.RunSnapshot
	Call    *schema.Call // the call that raised the finding
	// Age of the call by the clock of whoever decides. It can only change the mode.
	Age time.Duration
	// TrippedBefore is how many other runs of the same actor were tripped within the TTL.
	TrippedBefore int
	N             int // decisions made on this finding before
}

// Named reasons.
const (
	WhyObserve    = "observe_mode"
	WhyTooOld     = "call_too_old"
	WhyRunNamed   = "run_named_by_request"
	WhySecondRun  = "second_run_of_credential"
	WhyCredential = "credential_of_unnamed_run"
	WhyAgent      = "agent_without_credential"
	WhyAddress    = "address_without_identity"
	WhyNoScope    = "no_scope_bites"
)

// Decide makes a decision of a finding that has come to trip; ok is false for
// one that has not. The scope is the narrowest that an enforcement point can
// recognise in the next request.
func Decide(r Rules, in Input) (d schema.Decision, ok bool) {
	f := in.Finding
	if f.Level < schema.LevelTrip {
		return d, false
	}
	d = schema.Decision{ID: schema.DecisionID(f.ID, in.N), Tenant: f.Tenant, At: in.Call.Start, Action: schema.ActionDeny, FindingID: f.ID,
		RunID: f.RunID, AgentID: f.AgentID, CredentialID: f.CredentialID, TTL: int64(r.TTL), Call: f.Call, Reason: f.Summary}
	d.Scope, d.Why = scope(in)
	switch {
	case d.Scope.Kind == schema.ScopeNone:
		d.Mode, d.Action = schema.ModeObserve, schema.ActionAnnotate
	case in.Age > r.TooOld:
		d.Mode, d.Why = schema.ModeWouldHave, WhyTooOld
	case !r.IsArmed(f.AgentID):
		d.Mode, d.Why = schema.ModeObserve, WhyObserve
	default:
		d.Mode = schema.ModeArmed
	}
	return d, true
}

// IsArmed reports whether decisions about an agent are enforced.
func (r Rules) IsArmed(agent string) bool {
	if r.Armed {
		return true
	}
	for _, p := range r.ArmedAgents {
		if ok, _ := path.Match(p, agent); ok || p == agent {
			return true
		}
	}
	return false
}

// scope never uses a name that the caller asserted: it would let a caller trip
// somebody else.
func scope(in Input) (schema.Scope, string) {
	run, c := in.Run, in.Call
	named := run.Rule == schema.RunExplicit && c.RunKey != "" && !strings.Contains(c.RunKeySource, "span")
	switch {
	case named && in.TrippedBefore == 0:
		return schema.Scope{Kind: schema.ScopeRun, Value: run.RunID.String()}, WhyRunNamed
	case run.CredentialID != "" && in.TrippedBefore > 0:
		return schema.Scope{Kind: schema.ScopeCredential, Value: run.CredentialID}, WhySecondRun
	case run.CredentialID != "":
		return schema.Scope{Kind: schema.ScopeCredential, Value: run.CredentialID}, WhyCredential
	case run.AgentID != "" && run.AgentTrust >= schema.TrustInfrastructure:
		return schema.Scope{Kind: schema.ScopeAgent, Value: run.AgentID}, WhyAgent
	case c.ClientIP.IsValid():
		return schema.Scope{Kind: schema.ScopeAddress, Value: c.ClientIP.Unmap().String()}, WhyAddress
	}
	return schema.Scope{}, WhyNoScope
}
