package schema

import "strconv"

// ScopeKind is what a breaker is set on.
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
)

// Action of a decision, mildest first.
type Action uint8

const (
	ActionNone Action = iota
	ActionAnnotate
	ActionThrottle
	ActionGate
	ActionDeny
)

// Mode says whether a decision is enforced.
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
	BreakerHalfOpen
	BreakerForcedOpen
)

// Words of the sets above.
var (
	ScopeKindWords    = []string{"none", "tenant", "agent", "run", "credential", "principal", "address", "route"}
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

// Decision is what policy made of a finding. Enforcers read decisions only.
type Decision struct {
	ID        string `json:"decision_id"`
	Tenant    string `json:"tenant"`
	At        int64  `json:"at_ns"` // event time of the call, Unix ns
	Scope     Scope  `json:"scope"`
	Action    Action `json:"action"`
	Mode      Mode   `json:"mode"`
	Why       string `json:"why"`    // the named reason for scope and mode
	Reason    string `json:"reason"` // one sentence for people
	FindingID string `json:"finding_id"`
	RunID     RunID  `json:"run_id"`
	AgentID   string `json:"agent_id,omitempty"`
	// Credential of the run: a breaker on a run also holds it when it comes back
	// under another run id.
	CredentialID string  `json:"credential_id,omitempty"`
	TTL          int64   `json:"ttl_ns"`
	Call         CallRef `json:"call"`
}

// DecisionID is the identity of the n-th decision on a finding.
func DecisionID(finding string, n int) string { return shortID("d", finding, strconv.Itoa(n)) }

// CommandKind is what an intent asks for.
type CommandKind uint8

const (
	CommandNone CommandKind = iota
	// CommandTrip opens a breaker because of a finding.
	CommandTrip
	// CommandForceOpen opens a breaker by hand; only a reset closes it.
	CommandForceOpen
	// CommandReset closes a breaker.
	CommandReset
	// CommandBypass puts a tenant to observe for a time.
	CommandBypass
	// CommandTick moves the log's clock and says how many agents are active.
	CommandTick
)

// CommandKindWords are the words of CommandKind.
var CommandKindWords = []string{"none", "trip", "force_open", "reset", "bypass", "tick"}

func (v CommandKind) String() string                { return word(CommandKindWords, uint8(v)) }
func (v CommandKind) MarshalText() ([]byte, error)  { return []byte(v.String()), nil }
func (v *CommandKind) UnmarshalText(b []byte) error { return parse(CommandKindWords, b, v) }

// Command is one record of flyball.commands: an intent. What becomes of it is
// decided by the state machine that every point folds, in the order of the log
// and on the log's clock (the time at which the broker appended the record).
type Command struct {
	ID     string      `json:"id"` // a repeat of an id changes nothing
	Kind   CommandKind `json:"kind"`
	Tenant string      `json:"tenant,omitempty"`
	Scope  Scope       `json:"scope,omitzero"`
	By     string      `json:"by,omitempty"` // who asked: detect, or an operator's name
	Reason string      `json:"reason,omitempty"`
	TTL    int64       `json:"ttl_ns,omitempty"`
	// IfMatch is the generation that a reset is about; 0 is any.
	IfMatch uint64 `json:"if_match,omitempty"`

	// Of a trip.
	Decision *Decision `json:"decision,omitempty"`
	Exposure Exposure  `json:"exposure,omitzero"`
	// ActiveAgents of the tenant that the sender has seen in the last hour.
	ActiveAgents int `json:"active_agents,omitempty"`
}

// Breaker is what the state machine holds of one scope.
type Breaker struct {
	Tenant string       `json:"tenant"`
	Scope  Scope        `json:"scope"`
	State  BreakerState `json:"state"`
	Mode   Mode         `json:"mode"`
	Action Action       `json:"action"`
	Origin string       `json:"origin"` // detector, operator, ttl
	// Generation is the offset in flyball.commands of the record that made this state, plus one.
	Generation   uint64   `json:"generation"`
	DecisionID   string   `json:"decision_id,omitempty"`
	FindingID    string   `json:"finding_id,omitempty"`
	RunID        RunID    `json:"run_id,omitzero"`
	AgentID      string   `json:"agent_id,omitempty"`
	CredentialID string   `json:"credential_id,omitempty"`
	Why          string   `json:"why,omitempty"`
	Reason       string   `json:"reason,omitempty"`
	By           string   `json:"by,omitempty"`
	Since        int64    `json:"since_ns"`             // the log's clock, Unix ns
	Expires      int64    `json:"expires_ns,omitempty"` // 0: never by itself
	Exposure     Exposure `json:"exposure"`
	// Call that led to it; zero of an operator's. Its partition is the one of
	// flyball.events that the breaker's events go to, behind the finding's own.
	Call CallRef `json:"call,omitzero"`
}

// Holds reports whether the breaker stops requests at a time of the log's clock.
func (b *Breaker) Holds(now int64) bool {
	switch b.State {
	case BreakerForcedOpen:
		return true
	case BreakerOpen:
		return b.Mode == ModeArmed && (b.Expires == 0 || now < b.Expires)
	}
	return false
}

// PointState is the heartbeat of an enforcement point.
type PointState struct {
	Point string `json:"point"`
	// Applied is the offset in flyball.commands of the last record folded, -1 before the first.
	Applied int64 `json:"applied"`
	// At is the log's clock at that record, Unix ns.
	At int64 `json:"at_ns"`
	// Checks answered and requests denied since the point started.
	Checks uint64 `json:"checks"`
	Denied uint64 `json:"denied"`
}
