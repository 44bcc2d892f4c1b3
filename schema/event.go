package schema

// EventKind is the subject of an event.
type EventKind string

const (
	// EventFinding is a finding that was opened, changed or closed, with the
	// decision of policy about it.
	EventFinding EventKind = "finding"
	// EventBreaker is a change of a breaker's state, or a trip that exceeded the budget and
	// was withheld (mode trip_withheld, state closed).
	EventBreaker EventKind = "breaker"
	// EventBypass is the beginning or the end of a bypass.
	EventBypass EventKind = "bypass"
	// EventGate is a gate or a change of its state.
	EventGate EventKind = "gate"
	// EventVerdict is a person's verdict on a finding.
	EventVerdict EventKind = "verdict"
	// EventBaseline is an operator's order about an agent's baseline.
	EventBaseline EventKind = "baseline"
	// EventAudit is an entry of the audit trail.
	EventAudit EventKind = "audit"
	// EventLogLoss is a loss of records in a log. A reader that does not know this kind ignores it.
	EventLogLoss EventKind = "log_loss"
	// EventAck is the acknowledgement of an incident, EventSilence a silence that begins or is ended.
	EventAck     EventKind = "ack"
	EventSilence EventKind = "silence"
	// EventTick is a record of flyball.alerts without a subject: it advances the clock of its readers.
	EventTick EventKind = "tick"
	// EventHold is a hold on a run, or its release. A reader that does not know this kind ignores it.
	EventHold EventKind = "hold"
)

// Event is one record of flyball.events. Events are written at least once: records with the
// same ID are the same event.
type Event struct {
	ID       string         `json:"id"`
	Kind     EventKind      `json:"kind"`
	Tenant   string         `json:"tenant"`
	Finding  *Finding       `json:"finding,omitempty"`
	Breaker  *Breaker       `json:"breaker,omitempty"`
	Bypass   *Bypass        `json:"bypass,omitempty"`
	Gate     *Gate          `json:"gate,omitempty"`
	Audit    *AuditEntry    `json:"audit,omitempty"`
	Verdict  *Verdict       `json:"verdict,omitempty"`
	Baseline *BaselineOrder `json:"baseline,omitempty"`
	Loss     *LogLoss       `json:"loss,omitempty"`

	Ack     *Acknowledgement `json:"ack,omitempty"`
	Silence *Silence         `json:"silence,omitempty"`
	Hold    *Hold            `json:"hold,omitempty"`
}

// Bypass sets a tenant, or one agent of it, to observe at every point until it expires or is
// ended.
type Bypass struct {
	Tenant     string `json:"tenant"`
	Agent      string `json:"agent,omitempty"` // agent of the bypass; empty: the whole tenant
	Until      int64  `json:"until_ns"`        // the log's clock, Unix ns; 0: none
	Reason     string `json:"reason"`
	By         string `json:"by"`
	Generation uint64 `json:"generation"`
}

// FindingEvent returns the event of a finding's version.
func FindingEvent(f *Finding) Event {
	return Event{ID: shortID("e", f.ID, CallRef{f.Call.Partition, int64(f.Version), 0}.String()), Kind: EventFinding, Tenant: f.Tenant,
		Finding: f}
}

// BreakerEvent returns the event of a breaker's generation.
func BreakerEvent(b *Breaker) Event {
	return Event{ID: shortID("e", "breaker", b.Tenant, b.Scope.String(), CallRef{0, int64(b.Generation), uint32(b.State)}.String()),
		Kind: EventBreaker, Tenant: b.Tenant, Breaker: b}
}

// BypassEvent returns the event of a bypass.
func BypassEvent(b *Bypass) Event {
	parts := []string{"bypass", b.Tenant, CallRef{0, int64(b.Generation), 0}.String()}
	if b.Agent != "" {
		parts = append(parts, b.Agent)
	}
	return Event{ID: shortID("e", parts...), Kind: EventBypass, Tenant: b.Tenant, Bypass: b}
}

// GateEvent returns the event of a gate's generation.
func GateEvent(g *Gate) Event {
	return Event{ID: shortID("e", "gate", g.ID, CallRef{0, int64(g.Generation), uint32(g.State)}.String()), Kind: EventGate,
		Tenant: g.Tenant, Gate: g}
}

// AuditEvent returns the event of an audit entry.
func AuditEvent(e *AuditEntry) Event {
	return Event{ID: shortID("e", "audit", CallRef{0, e.Offset, 0}.String()), Kind: EventAudit, Tenant: e.Tenant, Audit: e}
}

// VerdictEvent returns the event of a verdict.
func VerdictEvent(v *Verdict) Event {
	return Event{ID: shortID("e", "verdict", v.FindingID, CallRef{0, int64(v.Generation), 0}.String()), Kind: EventVerdict, Tenant: v.Tenant,
		Verdict: v}
}

// BaselineEvent returns the event of a baseline order.
func BaselineEvent(o *BaselineOrder) Event {
	return Event{ID: shortID("e", "baseline", o.Tenant, o.Agent, o.Kind, CallRef{0, int64(o.Generation), 0}.String()), Kind: EventBaseline,
		Tenant: o.Tenant, Baseline: o}
}
