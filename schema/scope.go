package schema

import "strings"

// ScopeKind is the kind of caller or target that a breaker applies to.
type ScopeKind uint8

const (
	ScopeNone ScopeKind = iota
	ScopeTenant
	ScopeAgent
	ScopeRun
	ScopeCredential
	ScopePrincipal
	ScopeAddress
	ScopeRoute
	// ScopeVersion is one version of an agent: "billing/bot@1.4.2".
	ScopeVersion
	// ScopeRunRoute is a run on one route: "<run id> DELETE /orders/{id}".
	ScopeRunRoute
)

// Action of a decision, mildest first.
type Action uint8

const (
	ActionNone Action = iota
	// ActionAnnotate marks the answer and allows the call.
	ActionAnnotate
	// ActionThrottle allows a few calls per second.
	ActionThrottle
	// ActionGate allows reads and reversible writes; other calls need a person's approval.
	ActionGate
	// ActionDeny denies all calls.
	ActionDeny
)

// Mode is whether a decision is enforced, and if not, the reason.
type Mode uint8

const (
	// ModeObserve: the decision is recorded and not enforced.
	ModeObserve Mode = iota
	// ModeArmed: the decision is enforced.
	ModeArmed
	// ModeWouldHave: the call is too old for an action.
	ModeWouldHave
	// ModeWithheld: the trip exceeds the trip budget; it causes a page and no breaker.
	ModeWithheld
)

// BreakerState of a scope.
type BreakerState uint8

const (
	BreakerClosed BreakerState = iota
	BreakerOpen
	// BreakerHalfOpen allows single reads, to test whether the caller behaves normally again.
	BreakerHalfOpen
	// BreakerForcedOpen is the manual kill switch: only a reset or its TTL ends it.
	BreakerForcedOpen
)

// Words of the sets above.
var (
	ScopeKindWords    = []string{"none", "tenant", "agent", "run", "credential", "principal", "address", "route", "version", "run_route"}
	ActionWords       = []string{"none", "annotate", "throttle", "gate", "deny"}
	ModeWords         = []string{"observe", "armed", "would_have", "trip_withheld"}
	BreakerStateWords = []string{"closed", "open", "half_open", "forced_open"}
)

func (v ScopeKind) String() string                   { return word(ScopeKindWords, uint8(v)) }
func (v ScopeKind) MarshalText() ([]byte, error)     { return []byte(v.String()), nil }
func (v *ScopeKind) UnmarshalText(b []byte) error    { return parse(ScopeKindWords, b, v) }
func (v Action) String() string                      { return word(ActionWords, uint8(v)) }
func (v Action) MarshalText() ([]byte, error)        { return []byte(v.String()), nil }
func (v *Action) UnmarshalText(b []byte) error       { return parse(ActionWords, b, v) }
func (v Mode) String() string                        { return word(ModeWords, uint8(v)) }
func (v Mode) MarshalText() ([]byte, error)          { return []byte(v.String()), nil }
func (v *Mode) UnmarshalText(b []byte) error         { return parse(ModeWords, b, v) }
func (v BreakerState) String() string                { return word(BreakerStateWords, uint8(v)) }
func (v BreakerState) MarshalText() ([]byte, error)  { return []byte(v.String()), nil }
func (v *BreakerState) UnmarshalText(b []byte) error { return parse(BreakerStateWords, b, v) }

// Scope is the caller or target that a decision or a breaker applies to, within a tenant.
type Scope struct {
	Kind  ScopeKind `json:"kind"`
	Value string    `json:"value"`
}

func (s Scope) String() string { return s.Kind.String() + ":" + s.Value }

// VersionScope returns the scope of one version of an agent; empty without agent or version.
func VersionScope(agent, version string) Scope {
	if agent == "" || version == "" {
		return Scope{}
	}
	return Scope{ScopeVersion, agent + "@" + version}
}

// RunRouteScope returns the scope of a run on a route, "METHOD /template"; empty without run
// or route.
func RunRouteScope(run RunID, route string) Scope {
	if run.IsZero() || strings.TrimSpace(route) == "" {
		return Scope{}
	}
	return Scope{ScopeRunRoute, run.String() + " " + route}
}
