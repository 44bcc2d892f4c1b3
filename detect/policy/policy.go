// Package policy turns findings into decisions.
//
// It depends only on its input: it has no clock and no state, and does no input or output. The same
// input makes the same decision, and every decision names its reason.
package policy

import (
	"strings"
	"time"

	"flyball/schema"
	"flyball/schema/route"
)

// Rules are what the operator configured.
type Rules struct {
	Arming Arming
	// Graded are the rules that choose an action. If no rule matches a finding, it is annotated at
	// level alert and denied at level trip; a finding about a learned scope asks for approval.
	Graded []Rule
	// Exceptions are findings that are intended. The first one that covers a finding applies.
	Exceptions []Exception
	// TTL is the time for which a decision holds, unless its rule has a TTL.
	TTL time.Duration
	// TooOld is the age above which a call is history: a decision on it is recorded and not
	// enforced.
	TooOld time.Duration
}

// DefaultRules returns the documented defaults. They enforce nothing.
func DefaultRules() Rules { return Rules{TTL: 15 * time.Minute, TooOld: 15 * time.Minute} }

// Input holds everything that a decision depends on.
type Input struct {
	Finding *schema.Finding
	Run     *schema.RunSnapshot
	Call    *schema.Call // the call that raised the finding
	// Age of the call by the clock of the process. It can change only the mode.
	Age time.Duration
	// Tags and Criticality of the agent in the registry.
	Tags        []string
	Criticality string
	// TrippedBefore is how many other runs of the same actor were tripped within the TTL.
	TrippedBefore    int
	EarlierDecisions int // decisions made on this finding before
}

// Named reasons of decisions, as they are stored and shown.
const (
	WhyObserve    = "observe_mode"
	WhyTooOld     = "call_too_old"
	WhyRunNamed   = "run_named_by_request"
	WhySecondRun  = "second_run_of_credential"
	WhyManyRuns   = "over_several_runs"
	WhyCredential = "credential_of_unnamed_run"
	WhyAgent      = "agent_without_credential"
	WhyAddress    = "address_without_identity"
	// WhyNoEnforceableScope was no_scope_bites in records of versions before.
	WhyNoEnforceableScope = "no_enforceable_scope"
	WhyException          = "exception" // the rule is the exception's name
)

// Decide makes a decision on a finding that has reached a level. ok is false if the finding only
// gets a note: because of the rules, or because an exception covers it; then Why is WhyException
// and Rule is the exception's name. The scope is the narrowest one that an enforcement point can
// recognise in the next request.
func Decide(r Rules, in Input) (d schema.Decision, ok bool) {
	f := in.Finding
	if f.Family == schema.FamilyCanary {
		return canary(r, in), true
	}
	if e := r.exceptionFor(findingSubject(f), in.Call); e != nil {
		return schema.Decision{Why: WhyException, Rule: e.Name}, false
	}
	rule := chooseRule(r.Graded, &in)
	if rule == nil || rule.Action == schema.ActionNone || rule.Action == schema.ActionAnnotate && f.Level < schema.LevelTrip {
		return d, false
	}
	ttl := r.TTL
	if rule.TTL > 0 {
		ttl = rule.TTL
	}
	d = schema.Decision{ID: schema.DecisionID(f.ID, in.EarlierDecisions), Tenant: f.Tenant, At: in.Call.Start, Action: rule.Action,
		FindingID: f.ID, Rule: rule.Name, Family: f.Family, Route: in.Call.RouteName(), RouteByWords: route.ByWords(in.Call),
		RunID: f.RunID, AgentID: f.AgentID, CredentialID: f.CredentialID, TTL: int64(ttl), Call: f.Call, Reason: f.Summary}
	d.Scope, d.Why = enforcementScope(in)
	switch {
	case d.Scope.Kind == schema.ScopeNone:
		d.Mode, d.Action = schema.ModeObserve, schema.ActionAnnotate
	case in.Age > r.TooOld:
		d.Mode, d.Why = schema.ModeWouldHave, WhyTooOld
	case !r.Arming.Enforces(f.AgentID, in.Tags, f.Family):
		d.Mode, d.Why = schema.ModeObserve, WhyObserve
	default:
		d.Mode = schema.ModeArmed
	}
	return d, true
}

// canaryTTL is the time for which the canary's run is denied.
const canaryTTL = time.Minute

// canary denies the canary's run, whatever the operator has configured: neither arming, rules nor exceptions are about it.
func canary(r Rules, in Input) schema.Decision {
	f := in.Finding
	d := schema.Decision{ID: schema.DecisionID(f.ID, in.EarlierDecisions), Tenant: f.Tenant, At: in.Call.Start, Action: schema.ActionDeny,
		FindingID: f.ID, Rule: "canary", Family: f.Family, Route: in.Call.RouteName(), RunID: f.RunID, AgentID: f.AgentID,
		TTL: int64(canaryTTL), Call: f.Call, Reason: f.Summary, Why: WhyRunNamed, Mode: schema.ModeArmed,
		Scope: schema.Scope{Kind: schema.ScopeRun, Value: in.Run.RunID.String()}}
	if in.Age > r.TooOld {
		d.Mode, d.Why = schema.ModeWouldHave, WhyTooOld
	}
	return d
}

// enforcementScope returns the scope of a decision and the reason for it. It never uses a name that
// the caller claimed: a caller could then trip another caller. It uses an address only for a
// claimed caller; the breaker, which sees all callers, does not hold established callers behind the
// same address.
func enforcementScope(in Input) (schema.Scope, string) {
	run, c := in.Run, in.Call
	if s, ok := runScope(in); ok {
		return s, WhyRunNamed
	}
	switch {
	case run.CredentialID != "":
		return schema.Scope{Kind: schema.ScopeCredential, Value: run.CredentialID}, credentialReason(in)
	case run.AgentID != "" && run.AgentTrust >= schema.TrustInfrastructure:
		return schema.Scope{Kind: schema.ScopeAgent, Value: run.AgentID}, WhyAgent
	case c.Standing() == schema.StandingClaimed && c.ClientIP.IsValid() && c.Attr(schema.AttrForwardedHops) == "":
		return schema.Scope{Kind: schema.ScopeAddress, Value: c.ClientIP.Unmap().String()}, WhyAddress
	}
	return schema.Scope{}, WhyNoEnforceableScope
}

// runScope returns the scope of the run alone, if the run's next request can be recognised. A
// single run is not enough for a finding about several runs, nor after another run of the actor was
// tripped.
func runScope(in Input) (schema.Scope, bool) {
	run, c := in.Run, in.Call
	switch {
	case in.Finding.Family == schema.FamilySplit || in.TrippedBefore > 0 || c.RunKey == "":
	case run.Rule == schema.RunGate: // the check uses the same key
		return schema.Scope{Kind: schema.ScopeRun, Value: c.RunKey}, true
	case run.Rule == schema.RunExplicit && !strings.Contains(c.RunKeySource, "span"):
		return schema.Scope{Kind: schema.ScopeRun, Value: run.RunID.String()}, true
	}
	return schema.Scope{}, false
}

// credentialReason returns why a decision holds the credential and not the run.
func credentialReason(in Input) string {
	switch {
	case in.Finding.Family == schema.FamilySplit:
		return WhyManyRuns
	case in.TrippedBefore > 0:
		return WhySecondRun
	}
	return WhyCredential
}
