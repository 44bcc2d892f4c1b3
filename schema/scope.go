package schema

import "strings"

// ScopeKind is the kind of thing that a breaker holds.
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
	// ScopeVersion is an agent in one version: "billing/bot@1.4.2".
	ScopeVersion
	// ScopeRunRoute is a run on one route: "<run id> DELETE /orders/{id}".
	ScopeRunRoute
)

// Action of a decision, mildest first.
type Action uint8

const (
	ActionNone Action = iota
	// ActionAnnotate marks the answer and lets the call pass.
	ActionAnnotate
	// ActionThrottle lets a few calls a second pass.
	ActionThrottle
	// ActionGate lets reads and reversible writes pass; other calls need a person's approval.
	ActionGate
	// ActionDeny lets nothing pass.
	ActionDeny
)

// Mode is whether, and why not, a decision is enforced.
type Mode uint8

const (
	// ModeObserve evaluates and does not enforce.
	ModeObserve Mode = iota
	// ModeArmed enforces.
	ModeArmed
	// ModeWouldHave is a decision on a call too old to act on.
	ModeWouldHave
	// ModeWithheld is a trip beyond the trip budget: a page, and no breaker.
	ModeWithheld
)

// BreakerState of a scope.
type BreakerState uint8

const (
	BreakerClosed BreakerState = iota
	BreakerOpen
	// BreakerHalfOpen lets single reads pass, to test whether the caller is back to normal.
	BreakerHalfOpen
	// BreakerForcedOpen is the manual kill switch: only a reset or its own time ends it.
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

// Scope is whom a decision or a breaker is about, within a tenant.
type Scope struct {
	Kind  ScopeKind `json:"kind"`
	Value string    `json:"value"`
}

func (s Scope) String() string { return s.Kind.String() + ":" + s.Value }

// VersionScope is an agent in one version; empty without both.
func VersionScope(agent, version string) Scope {
	if agent == "" || version == "" {
		return Scope{}
	}
	return Scope{ScopeVersion, agent + "@" + version}
}

// RunRouteScope is a run on a route, "METHOD /template"; empty without both.
func RunRouteScope(run RunID, route string) Scope {
	if run.IsZero() || strings.TrimSpace(route) == "" {
		return Scope{}
	}
	return Scope{ScopeRunRoute, run.String() + " " + route}
}
