package breaker

import (
	"net/netip"

	"flyball/schema"
)

// Query is a request as the check side knows it.
type Query struct {
	Tenant         string
	AgentID        string
	AgentTrust     schema.Trust
	CredentialID   string
	PrincipalID    string
	PrincipalTrust schema.Trust
	ClientIP       netip.Addr
	RunID          schema.RunID // zero when the request names none
	// RunFirstSeen is the log's clock when the point first met the run id, 0 unknown.
	RunFirstSeen int64
	Route        string
}

// Named reasons of a verdict.
const (
	WhyNoBreaker = "no_breaker"
	WhyBypass    = "bypass"
	WhyHeld      = "breaker_open"
	WhyRenamed   = "renamed_run"
)

// Verdict on a request.
type Verdict struct {
	Allow   bool
	Why     string
	Breaker *schema.Breaker // the one that decided
}

// Decide looks at the breakers that a request can meet, the widest first:
// tenant, route, address, agent, principal, credential, run, and last the runs of
// the same agent and credential, of which one may have come back under another
// name. The first that holds denies; all of them deny alike, so the order only
// chooses which one is named. An asserted name is never looked up.
func (s *State) Decide(q *Query) Verdict {
	if len(s.open) == 0 {
		return Verdict{Allow: true, Why: WhyNoBreaker}
	}
	v := s.decide(q)
	if _, on := s.Bypass(q.Tenant); on && !v.Allow {
		return Verdict{Allow: true, Why: WhyBypass, Breaker: v.Breaker}
	}
	return v
}

func (s *State) decide(q *Query) Verdict {
	scopes := [...]schema.Scope{
		{Kind: schema.ScopeTenant, Value: q.Tenant},
		{Kind: schema.ScopeRoute, Value: q.Route},
		{Kind: schema.ScopeAddress, Value: address(q.ClientIP)},
		{Kind: schema.ScopeAgent, Value: trusted(q.AgentID, q.AgentTrust)},
		{Kind: schema.ScopePrincipal, Value: trusted(q.PrincipalID, q.PrincipalTrust)},
		{Kind: schema.ScopeCredential, Value: q.CredentialID},
		{Kind: schema.ScopeRun, Value: run(q.RunID)},
	}
	for _, sc := range scopes {
		if sc.Value == "" {
			continue
		}
		if b := s.open[key{q.Tenant, sc}]; b != nil && b.Holds(s.Clock) {
			return Verdict{Why: WhyHeld, Breaker: b}
		}
	}
	if q.CredentialID == "" {
		return Verdict{Allow: true, Why: WhyNoBreaker}
	}
	for _, b := range s.open {
		if b.Scope.Kind == schema.ScopeRun && b.Tenant == q.Tenant && b.CredentialID == q.CredentialID && b.AgentID == q.AgentID &&
			b.Holds(s.Clock) && (q.RunFirstSeen == 0 || q.RunFirstSeen >= b.Since) {
			return Verdict{Why: WhyRenamed, Breaker: b}
		}
	}
	return Verdict{Allow: true, Why: WhyNoBreaker}
}

func trusted(id string, trust schema.Trust) string {
	if trust < schema.TrustInfrastructure {
		return ""
	}
	return id
}

func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().String()
}

func run(id schema.RunID) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}
