package breaker

import (
	"iter"
	"slices"

	"flyball/detect/enforce"
	"flyball/schema"
)

// Risky reports whether a breaker with action gate stops a call of a reversibility: the call is
// irreversible, or its reversibility is unknown.
func Risky(r schema.Reversibility) bool {
	return r == schema.Irreversible || r == schema.ReversibilityUnknown
}

// Named reasons of a match.
const (
	whyNoBreaker     = "no_breaker"
	WhyForced        = "forced_open"
	WhyHeld          = "breaker_open"
	WhyRenamed       = "renamed_run"
	WhyProbe         = "half_open_probe"
	WhyProbeNotDue   = "half_open_probe_not_due"
	WhyHalfOpenWrite = "half_open_write"
	WhyGated         = "gated_by_breaker"
	WhyThrottled     = "throttled_by_breaker"
	whyAnnotated     = "annotated_by_breaker"
)

// Match is the breaker that decides on a request, and its effect on the request.
type Match struct {
	Action  schema.Action
	Why     string
	Breaker *schema.Breaker // nil: none applies
	// OtherRun: the breaker is on another run of the same caller; see holderOf.
	OtherRun bool
	// Probe: the request may pass if it claims a probe of the breaker.
	Probe bool

	found int // number of breakers that apply to the request
}

// Match finds the breaker that decides on a request at a time of the log's clock (Unix ns). A
// breaker that a person forced open comes first, then the most severe action (deny, gate, throttle,
// annotate). Among equals the most specific scope decides: run × route, run, other runs of the same
// caller, credentials, agent version, agent, principal, address, route, tenant. A breaker with
// action gate only annotates a call that reads or can be undone.
//
// A name that only the caller asserts is not looked up. An address is weak evidence of identity: a
// breaker that was opened on an address automatically does not apply to callers with a better
// identity, nor to those whose address is unknown.
func (s *State) Match(r *enforce.Request, now int64) Match {
	if len(s.open) == 0 {
		return Match{Why: whyNoBreaker}
	}
	f := search{s: s, q: newQuery(r), m: Match{Why: whyNoBreaker}}
	f.runs()
	f.credentials()
	f.parents()
	f.claimed()
	f.names()
	f.address()
	f.routes()
	f.look(schema.ScopeTenant, f.q.Tenant)
	if f.m.Breaker != nil {
		f.m.setEffect(r.Call.Reversibility, now)
	}
	return f.m
}

// query is a request with the keys by which breakers are looked up.
type query struct {
	*enforce.Request
	*schema.Call
	agent string // established, else empty
	run   string // id, else empty
	route string
	key   routeKey // of route
	// spellings are the keys of the route's other names.
	spellings []routeKey
}

func newQuery(r *enforce.Request) query {
	q := query{Request: r, Call: r.Call, route: r.Call.RouteName(), agent: established(r.Call.AgentID, r.Call.AgentTrust)}
	if !r.RunID.IsZero() {
		q.run = r.RunID.String()
	}
	q.key = routeKey{q.Method, q.RouteKey}
	if q.ToolName != "" || q.RouteKey == "" {
		q.key = routeKeyOf(q.route)
	}
	if r.Spellings != nil {
		for _, name := range r.Spellings(r.Call) {
			if k := routeKeyOf(name); k != q.key {
				q.spellings = append(q.spellings, k)
			}
		}
	}
	return q
}

// allCredentials iterates over the call's own credential and then the other credentials of the
// request.
func (q *query) allCredentials() iter.Seq[string] {
	return func(yield func(string) bool) {
		if !yield(q.CredentialID) {
			return
		}
		for _, id := range q.Credentials {
			if id != q.CredentialID && !yield(id) {
				return
			}
		}
	}
}

// search collects the breakers that apply to one request.
type search struct {
	s *State
	q query
	m Match
}

func (f *search) add(b *schema.Breaker, why string) {
	f.m.found++
	if f.m.Breaker == nil || rank(b) > rank(f.m.Breaker) {
		f.m.Breaker, f.m.Why, f.m.OtherRun = b, why, why == WhyRenamed
	}
}

func (f *search) look(kind schema.ScopeKind, value string) {
	if value == "" {
		return
	}
	if b := f.s.open[key{f.q.Tenant, schema.Scope{Kind: kind, Value: value}}]; b != nil {
		f.add(b, WhyHeld)
	}
}

func (f *search) runs() {
	if f.q.run != "" {
		f.onRoute(f.q.run)
		f.look(schema.ScopeRun, f.q.run)
	}
	if len(f.s.held) == 0 {
		return
	}
	if b := f.s.ofOtherRuns(&f.q); b != nil {
		f.add(b, WhyRenamed)
	}
}

func (f *search) credentials() {
	for id := range f.q.allCredentials() {
		f.look(schema.ScopeCredential, id)
	}
}

func (f *search) parents() {
	for _, id := range f.q.Parents {
		f.onRoute(id.String())
		f.look(schema.ScopeRun, id.String())
	}
}

// onRoute looks up the breakers on a run on the route, by each name of the route.
func (f *search) onRoute(run string) {
	if len(f.s.runRoutes) == 0 {
		return
	}
	var found []*schema.Breaker // two names of a route can have one key
	find := func(k routeKey) {
		for _, b := range f.s.runRoutes[runRoute{f.q.Tenant, run, k}] {
			if !slices.Contains(found, b) {
				found = append(found, b)
				f.add(b, WhyHeld)
			}
		}
	}
	find(f.q.key)
	for _, k := range f.q.spellings {
		find(k)
	}
}

// claimed looks up names that are not verified: only breakers that a person forced open apply.
func (f *search) claimed() {
	for _, sc := range f.q.Claimed {
		if b := f.s.open[key{f.q.Tenant, sc}]; b != nil && b.State == schema.BreakerForcedOpen {
			f.add(b, WhyHeld)
		}
	}
}

func (f *search) names() {
	if f.q.AgentVersion != "" && f.q.agent != "" {
		version := schema.VersionScope(f.q.agent, f.q.AgentVersion)
		f.look(version.Kind, version.Value)
	}
	f.look(schema.ScopeAgent, f.q.agent)
	f.look(schema.ScopePrincipal, established(f.q.PrincipalID, f.q.PrincipalTrust))
}

func (f *search) address() {
	if !f.q.ClientIP.IsValid() {
		return
	}
	address := canonical(f.q.ClientIP)
	b := f.s.open[key{f.q.Tenant, schema.Scope{Kind: schema.ScopeAddress, Value: address.String()}}]
	named := f.q.agent != "" || f.q.Request.Standing >= schema.StandingProven || address.IsUnspecified()
	if b != nil && (b.State == schema.BreakerForcedOpen || !named) {
		f.add(b, WhyHeld)
	}
}

func (f *search) routes() {
	f.look(schema.ScopeRoute, f.q.route)
	for _, r := range f.s.routes[f.q.Tenant] {
		if r.b.Scope.Value != f.q.route && r.appliesTo(f.q.Call, f.q.spellings) { // otherwise it is already found by its name
			f.add(r.b, WhyHeld)
		}
	}
}

// setEffect sets the effect of the deciding breaker on a call of a reversibility.
func (m *Match) setEffect(r schema.Reversibility, now int64) {
	b := m.Breaker
	m.Action = b.Action
	switch {
	case b.State == schema.BreakerForcedOpen:
		m.Action, m.Why = schema.ActionDeny, WhyForced
	case b.State == schema.BreakerHalfOpen:
		m.Action = schema.ActionDeny
		switch {
		case r != schema.ReadOnly:
			m.Why = WhyHalfOpenWrite
		case probeDue(b, now):
			m.Why, m.Probe = WhyProbe, true
		default:
			m.Why = WhyProbeNotDue
		}
	case b.Action == schema.ActionGate && !Risky(r):
		m.Action, m.Why = schema.ActionAnnotate, WhyGated
	case b.Action == schema.ActionGate:
		m.Why = WhyGated
	case b.Action == schema.ActionThrottle:
		m.Why = WhyThrottled
	case b.Action == schema.ActionAnnotate:
		m.Why = whyAnnotated
	}
}

// established returns a name if another party than the caller vouches for it, else "".
func established(id string, trust schema.Trust) string {
	if trust < schema.TrustInfrastructure {
		return ""
	}
	return id
}
