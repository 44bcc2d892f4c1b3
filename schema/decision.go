package schema

import "strconv"

// Decision is the action that policy chose for a finding. Enforcers read decisions only.
type Decision struct {
	ID        string `json:"decision_id"`
	Tenant    string `json:"tenant"`
	At        int64  `json:"at_ns"` // event time of the call, Unix ns
	Scope     Scope  `json:"scope"`
	Action    Action `json:"action"`
	Mode      Mode   `json:"mode"`
	Why       string `json:"why"`            // the named reason for scope and mode
	Rule      string `json:"rule,omitempty"` // rule of the policy that chose the action
	Reason    string `json:"reason"`         // one sentence for people
	FindingID string `json:"finding_id"`
	// Family of the finding, and the route of the call that caused it: "METHOD /template", or
	// "tool:NAME". Empty in records of older versions.
	Family string `json:"family,omitempty"`
	Route  string `json:"route,omitempty"`
	// RouteByWords is the route that the words of the path give, if what was learned, ordered or declared about routes gave
	// Route; else it is empty. Empty in records of older versions.
	RouteByWords string `json:"route_by_words,omitempty"`
	RunID        RunID  `json:"run_id"`
	AgentID      string `json:"agent_id,omitempty"`
	// CredentialID is the credential of the run. A breaker on a run also denies this
	// credential when it is used under another run id.
	CredentialID string  `json:"credential_id,omitempty"`
	TTL          int64   `json:"ttl_ns"`
	Call         CallRef `json:"call"`
}

// DecisionID returns the id of the n-th decision on a finding.
func DecisionID(finding string, n int) string { return shortID("d", finding, strconv.Itoa(n)) }

// Breaker is the state of one scope's breaker in the fold of flyball.commands.
type Breaker struct {
	Tenant string       `json:"tenant"`
	Scope  Scope        `json:"scope"`
	State  BreakerState `json:"state"`
	Mode   Mode         `json:"mode"`
	Action Action       `json:"action"`
	Origin string       `json:"origin"` // detector, operator, ttl, probes
	// Generation is the offset in flyball.commands of the record that made this state, plus one.
	Generation   uint64 `json:"generation"`
	DecisionID   string `json:"decision_id,omitempty"`
	FindingID    string `json:"finding_id,omitempty"`
	RunID        RunID  `json:"run_id,omitzero"`
	AgentID      string `json:"agent_id,omitempty"`
	CredentialID string `json:"credential_id,omitempty"`
	// Holder of the run, if the command named it: the caller that is denied in other runs too.
	Holder *Holder `json:"holder,omitempty"`
	Why    string  `json:"why,omitempty"`
	Reason string  `json:"reason,omitempty"`
	By     string  `json:"by,omitempty"`
	Found  int64   `json:"found_ns,omitempty"` // event time of the call that led to it
	Since  int64   `json:"since_ns"`           // the log's clock, Unix ns
	// HeldSince is the log's clock when the scope was first opened. Since changes with each
	// later state; runs that began between the two are still denied. 0: the value of Since.
	HeldSince int64    `json:"held_since_ns,omitempty"`
	Expires   int64    `json:"expires_ns,omitempty"` // 0: no automatic end
	Exposure  Exposure `json:"exposure"`
	// TTL of this opening, and the number of consecutive openings: each lasts twice as long as
	// the previous one.
	TTL     int64 `json:"ttl_ns,omitempty"`
	Strikes int   `json:"strikes,omitempty"`
	// Probes is the number of reads allowed in the half-open state; ProbeAt is the log's clock
	// at the last one.
	Probes  int   `json:"probes,omitempty"`
	ProbeAt int64 `json:"probe_at_ns,omitempty"`
	// Call is the call that caused it; zero for an operator's breaker. Its partition is also
	// the partition of flyball.events for the breaker's events, so that they come after those
	// of the finding.
	Call CallRef `json:"call,omitzero"`
}

// Holds reports whether the breaker affects decisions: it is not closed.
func (b *Breaker) Holds() bool { return b.State != BreakerClosed }

// PointState is the heartbeat of an enforcement point.
type PointState struct {
	Point string `json:"point"`
	// Applied is the offset in flyball.commands of the last record folded, -1 before the first.
	Applied int64 `json:"applied"`
	// At is the log's clock at that record, Unix ns.
	At int64 `json:"at_ns"`
	// Checks and Denied count the checks answered and the requests denied since the point
	// started.
	Checks uint64 `json:"checks"`
	Denied uint64 `json:"denied"`
	// Reads is the highest CommandKind.Feature that the point folds; a point that does not
	// report it (0) folds 1.
	Reads int `json:"reads,omitempty"`
	// Mode and Armed are the point's configuration of enforcement: observe or armed, and
	// the patterns that are armed in mode observe. Empty: a point of an older version,
	// which does not report them.
	Mode  string   `json:"mode,omitempty"`
	Armed []string `json:"armed,omitempty"`
	// Traces of the latest breakers that this point applied.
	Traces []PointTrace `json:"traces,omitempty"`
}

// PointTrace is the effect of a breaker's opening at one point, with times of the point's
// clock in Unix ns.
type PointTrace struct {
	Generation uint64 `json:"generation"`
	Applied    int64  `json:"applied_ns"`
	// FirstDenied is the time of the first call that the breaker denied; 0: none yet.
	FirstDenied int64  `json:"first_denied_ns,omitempty"`
	Denied      uint64 `json:"denied"`
}
