package api

import (
	"encoding/json"
	"strconv"

	"flyball/detect/enforce/ledger"
	"flyball/schema"
	"flyball/schema/identity"
)

// problem is the body of an answer that is not 200 (RFC 9457): terminal, about
// this target, and no invitation to try again.
type problem struct {
	Type     string  `json:"type"`
	Title    string  `json:"title"`
	Status   int     `json:"status"`
	Detail   string  `json:"detail"`
	Instance string  `json:"instance,omitempty"`
	Flyball  *reason `json:"flyball,omitempty"`
}

type reason struct {
	Reason     string `json:"reason"`
	Action     string `json:"action"`
	Scope      string `json:"scope,omitempty"`
	Line       string `json:"manifest_line,omitempty"`
	Gate       string `json:"gate_id,omitempty"`
	FindingID  string `json:"finding_id,omitempty"`
	Generation uint64 `json:"generation,omitempty"`
	Expires    string `json:"expires,omitempty"`
	// Because is the text of the breaker's reason, Opened the named reason for its scope.
	Because    string `json:"because,omitempty"`
	Opened     string `json:"opened_because,omitempty"`
	DecisionID string `json:"decision_id"`
	// RetryAfter is in seconds; 0: to send the call again does not help.
	RetryAfter int                `json:"retry_after_seconds,omitempty"`
	Weighed    []ledger.Objection `json:"weighed,omitempty"`
}

// kind of problem: the end of its type.
func (a *answer) kind() string {
	switch {
	case a.status == 503:
		return "not-loaded"
	case a.why == whyMisconfigured || a.why == whyContradicts || a.why == whyMalformed || a.why == identity.ErrTooManyCredentials.Error():
		return "unreadable"
	case a.action == schema.ActionGate:
		return "step-up"
	case a.action == schema.ActionThrottle:
		return "throttled"
	}
	return "denied"
}

func (a *answer) problem() []byte {
	p := problem{Type: "urn:flyball:problem:" + a.kind(), Status: a.status, Instance: "urn:flyball:decision:" + a.decision,
		Flyball: &reason{Reason: a.why, Action: a.action.String(), Line: a.line, Gate: a.gate, DecisionID: a.decision}}
	switch a.kind() {
	case "not-loaded":
		p.Title, p.Detail = "Breakers are being loaded", "The gateway's failure mode decides."
	default:
		x := a.explain()
		p.Title, p.Detail = x.title, x.detail
		p.Flyball.Scope, p.Flyball.Expires, p.Flyball.Because, p.Flyball.RetryAfter = x.scope, x.expires, x.reason, x.retryAfter
	}
	if b := a.decider(); b != nil {
		p.Flyball.FindingID, p.Flyball.Generation, p.Flyball.Opened = b.FindingID, b.Generation, b.Why
	}
	for _, w := range a.weighed.Objections() {
		if w.Mode == schema.ModeArmed { // what is only observed is not the caller's to know
			p.Flyball.Weighed = append(p.Flyball.Weighed, w)
		}
	}
	body, err := json.Marshal(p)
	if err != nil {
		return []byte(`{"status":` + strconv.Itoa(a.status) + `}`)
	}
	return body
}
