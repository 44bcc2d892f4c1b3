package schema

import "time"

// AckLinkLife is how long the link of a page to its incident is valid.
const AckLinkLife = 24 * time.Hour

// AckOrder acknowledges an incident: a person has taken it on. Of ack_undo, it is the incident that nobody has taken on any more.
type AckOrder struct {
	Incident string `json:"incident_id"`
	// Link is the id of the link by which it is acknowledged; empty: by a command. A link works once.
	Link string `json:"link,omitempty"`
	// LinkUntil is when the link expires, Unix ns.
	LinkUntil int64 `json:"link_until_ns,omitempty"`
}

// Acknowledgement records that a person acknowledged an incident, or took the acknowledgement back, and why.
type Acknowledgement struct {
	Tenant     string `json:"tenant"`
	Incident   string `json:"incident_id"`
	By         string `json:"by"`
	Why        string `json:"why"`
	At         int64  `json:"at_ns"` // the log's clock, Unix ns
	Generation uint64 `json:"generation"`
	Undone     bool   `json:"undone,omitempty"` // it was taken back
}

// SilenceOrder adds a silence, for the TTL of the command, or ends one.
type SilenceOrder struct {
	ID string `json:"id,omitempty"` // of the silence to end
	Matchers
}

// Matchers select findings. A finding must match all of them; an empty one matches every finding. Agent,
// Family, Owner and Tag are patterns of path.Match.
type Matchers struct {
	Level  string `json:"level,omitempty"` // alert, trip
	Family string `json:"family,omitempty"`
	// Agent, Owner and Tag match agents with an established identity. Owner and Tag are those of the registry.
	Agent string `json:"agent,omitempty"`
	Owner string `json:"owner,omitempty"`
	Tag   string `json:"tag,omitempty"`
	// Claimed selects callers whose name is only claimed, or that have none, and no others: Agent then matches claimed names.
	Claimed bool `json:"claimed,omitempty"`
}

// Silence is a silence that is in the log. While it is in force, nobody is notified of the findings that it
// matches.
type Silence struct {
	ID     string `json:"id"`
	Tenant string `json:"tenant"`
	Matchers
	By     string `json:"by"`
	Role   string `json:"role,omitempty"`
	Reason string `json:"reason"`
	At     int64  `json:"at_ns"`    // the log's clock, Unix ns
	Until  int64  `json:"until_ns"` // on the same clock
	// EndedBy ended it before Until, because of EndReason; empty: nobody.
	EndedBy    string `json:"ended_by,omitempty"`
	EndReason  string `json:"end_reason,omitempty"`
	EndedAt    int64  `json:"ended_at_ns,omitempty"`
	Generation uint64 `json:"generation"`
}

// AckEvent returns the event of an acknowledgement.
func AckEvent(a *Acknowledgement) Event {
	return Event{ID: shortID("e", "ack", a.Incident, CallRef{0, int64(a.Generation), 0}.String()), Kind: EventAck, Tenant: a.Tenant, Ack: a}
}

// SilenceEvent returns the event of a silence, when it begins and when it is ended.
func SilenceEvent(s *Silence) Event {
	return Event{ID: shortID("e", "silence", s.ID, CallRef{0, int64(s.Generation), 0}.String()), Kind: EventSilence, Tenant: s.Tenant,
		Silence: s}
}
