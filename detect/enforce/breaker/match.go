package breaker

import (
	"net/netip"

	"flyball/schema"
)

// Query is a request as the check side knows it.
type Query struct {
	Tenant       string
	AgentID      string
	AgentVersion string
	AgentTrust   schema.Trust
	CredentialID string
	// Credentials are all that the request shows, CredentialID among them or not.
	Credentials []string
	// Claimed are names that nobody has verified: only a person's kill switch meets them.
	Claimed []schema.Scope
	// Standing of the caller; at least established if the agent's trust says so.
	Standing       schema.Standing
	PrincipalID    string
	PrincipalTrust schema.Trust
	ClientIP       netip.Addr
	RunID          schema.RunID // zero when the request names none
	// Parents are the runs that a sub-agent's run is part of: what stops them stops it.
	Parents []schema.RunID
	// RunFirstSeen is the log's clock when the point first met the run id, 0 unknown.
	RunFirstSeen int64
	Route        string // "METHOD /template"
	// Call is the request as it was classified; nil: breakers on routes hold what Route names.
	Call *schema.Call
	// ReadOnly is a call that changes nothing; Risky one that cannot be undone, or a
	// change of which nobody knows whether it can.
	ReadOnly, Risky bool
}

// Risky reports whether a gate asks about a call of such a reversibility: it cannot be
// undone, or nobody knows whether it can.
func Risky(r schema.Reversibility) bool {
	return r == schema.Irreversible || r == schema.ReversibilityUnknown
}

// Named reasons of a verdict.
const (
	WhyNoBreaker     = "no_breaker"
	WhyForced        = "forced_open"
	WhyHeld          = "breaker_open"
	WhyRenamed       = "renamed_run"
	WhyProbe         = "half_open_probe"
	WhyProbeNotDue   = "half_open_probe_not_due"
	WhyHalfOpenWrite = "half_open_write"
	WhyGated         = "gated_by_breaker"
	WhyThrottled     = "throttled_by_breaker"
	WhyAnnotated     = "annotated_by_breaker"
)

// Match on a request: the action that it meets.
type Match struct {
	Action  schema.Action
	Why     string
	Breaker *schema.Breaker // the one that decided; nil without one
	Matches int             // breakers that the request met
	// OtherRun: the breaker is on another run of the same holder.
	OtherRun bool
	// Probe: the request may pass if it claims a probe of the breaker.
	Probe bool
}

// Match looks at every breaker that a request can meet. The kill switch comes
// first; then the most severe action wins (deny, gate, throttle, annotate), and
// among equals the most specific scope: run × route, run, other runs of the same
// holder (who may have come back under another name), credentials, version, agent,
// principal, address, route, tenant. An asserted name is never looked up. A gate
// that the call does not need (it reads, or can be undone) is an annotation.
//
// An address is a weak name for a caller: what was opened on one automatically holds
// nobody who has a better one, and nobody whose address is not known.
func (s *State) Match(q *Query, now int64) Match {
	v := Match{Why: WhyNoBreaker}
	if len(s.open) == 0 {
		return v
	}
	meet := func(b *schema.Breaker, why string) {
		v.Matches++
		if v.Breaker != nil && rank(b) <= rank(v.Breaker) {
			return
		}
		v.Breaker, v.Why, v.OtherRun = b, why, why == WhyRenamed
	}
	look := func(sc schema.Scope) {
		if sc.Value == "" {
			return
		}
		if b := s.open[key{q.Tenant, sc}]; b != nil {
			meet(b, WhyHeld)
		}
	}
	agent, run := trusted(q.AgentID, q.AgentTrust), ""
	if !q.RunID.IsZero() {
		run = q.RunID.String()
		look(schema.Scope{Kind: schema.ScopeRunRoute, Value: run + " " + q.Route})
		look(schema.Scope{Kind: schema.ScopeRun, Value: run})
	}
	if len(s.held) > 0 {
		if b := s.besides(q, agent, run); b != nil {
			meet(b, WhyRenamed)
		}
	}
	look(schema.Scope{Kind: schema.ScopeCredential, Value: q.CredentialID})
	for _, id := range q.Credentials {
		if id != q.CredentialID {
			look(schema.Scope{Kind: schema.ScopeCredential, Value: id})
		}
	}
	for _, id := range q.Parents {
		look(schema.Scope{Kind: schema.ScopeRunRoute, Value: id.String() + " " + q.Route})
		look(schema.Scope{Kind: schema.ScopeRun, Value: id.String()})
	}
	for _, sc := range q.Claimed {
		if b := s.open[key{q.Tenant, sc}]; b != nil && b.State == schema.BreakerForcedOpen {
			meet(b, WhyHeld)
		}
	}
	if q.AgentVersion != "" && agent != "" {
		look(schema.VersionScope(agent, q.AgentVersion))
	}
	look(schema.Scope{Kind: schema.ScopeAgent, Value: agent})
	look(schema.Scope{Kind: schema.ScopePrincipal, Value: trusted(q.PrincipalID, q.PrincipalTrust)})
	if q.ClientIP.IsValid() {
		address := canonical(q.ClientIP)
		b := s.open[key{q.Tenant, schema.Scope{Kind: schema.ScopeAddress, Value: address.String()}}]
		named := agent != "" || q.Standing >= schema.StandingProven || address.IsUnspecified()
		if b != nil && (b.State == schema.BreakerForcedOpen || !named) {
			meet(b, WhyHeld)
		}
	}
	look(schema.Scope{Kind: schema.ScopeRoute, Value: q.Route})
	if q.Call != nil && s.HoldsRoutes(q.Tenant) {
		s.ofRoute(q, meet)
	}
	look(schema.Scope{Kind: schema.ScopeTenant, Value: q.Tenant})
	if v.Breaker != nil {
		v.effect(q, now)
	}
	return v
}

// effect is what the breaker that decided does to this request.
func (v *Match) effect(q *Query, now int64) {
	b := v.Breaker
	v.Action = b.Action
	switch {
	case b.State == schema.BreakerForcedOpen:
		v.Action, v.Why = schema.ActionDeny, WhyForced
	case b.State == schema.BreakerHalfOpen && !q.ReadOnly:
		v.Action, v.Why = schema.ActionDeny, WhyHalfOpenWrite
	case b.State == schema.BreakerHalfOpen && ProbeDue(b, now):
		v.Action, v.Why, v.Probe = schema.ActionDeny, WhyProbe, true
	case b.State == schema.BreakerHalfOpen:
		v.Action, v.Why = schema.ActionDeny, WhyProbeNotDue
	case b.Action == schema.ActionGate && !q.Risky:
		v.Action, v.Why = schema.ActionAnnotate, WhyGated
	case b.Action == schema.ActionGate:
		v.Why = WhyGated
	case b.Action == schema.ActionThrottle:
		v.Why = WhyThrottled
	case b.Action == schema.ActionAnnotate:
		v.Why = WhyAnnotated
	}
}

func trusted(id string, trust schema.Trust) string {
	if trust < schema.TrustInfrastructure {
		return ""
	}
	return id
}
