package control

import (
	"encoding/json"
	"strconv"
	"time"

	"flyball/detect/ledger"
	"flyball/schema"
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
	Reason     string                 `json:"reason"`
	Action     string                 `json:"action"`
	Scope      string                 `json:"scope,omitempty"`
	Line       string                 `json:"manifest_line,omitempty"`
	Gate       string                 `json:"gate_id,omitempty"`
	FindingID  string                 `json:"finding_id,omitempty"`
	Generation uint64                 `json:"generation,omitempty"`
	Expires    string                 `json:"expires,omitempty"`
	Weighed    []ledger.Consideration `json:"weighed,omitempty"`
}

// kind of problem: the end of its type.
func (a *answer) kind() string {
	switch {
	case a.status == 503:
		return "not-loaded"
	case a.action == schema.ActionGate:
		return "step-up"
	case a.action == schema.ActionThrottle:
		return "throttled"
	}
	return "denied"
}

func (a *answer) problem() []byte {
	p := problem{Type: "urn:flyball:problem:" + a.kind(), Status: a.status, Instance: "urn:flyball:decision:" + a.decision,
		Flyball: &reason{Reason: a.why, Action: a.action.String(), Line: a.line, Gate: a.gate}}
	switch a.kind() {
	case "not-loaded":
		p.Title, p.Detail = "Breakers are being loaded", "The gateway's failure mode decides."
	case "step-up":
		p.Title = "The API owner wants a person's yes to this call"
		p.Detail = "This call is held. Do not repeat it or reach the same end in another way; tell the person you work for."
		if a.gate != "" {
			p.Detail += " The question is " + a.gate + "."
		}
	case "throttled":
		p.Title, p.Detail = "The API owner lets only a few of your calls pass", "This call was not made. Do not make it in another way; tell the person you work for."
	case "denied":
		if a.why == whyAmbiguousPath || a.why == whyTwoCalls || a.why == whyUnreadable {
			p.Title = "This call can be read in several ways"
			p.Detail = "Send it without dot segments, backslashes and encoded separators, and without another method in a header or parameter."
			break
		}
		p.Title = "Stopped by the API owner's circuit breaker"
		p.Detail = "This run has been stopped. Do not repeat the call or make it in another way; tell the person you work for."
	}
	if b := a.breaker; b != nil {
		p.Flyball.Scope, p.Flyball.FindingID, p.Flyball.Generation = b.Scope.String(), b.FindingID, b.Generation
		if b.Expires > 0 {
			p.Flyball.Expires = time.Unix(0, b.Expires).UTC().Format(time.RFC3339)
		}
		if b.Reason != "" {
			p.Detail = b.Reason + ". " + p.Detail
		}
	}
	for _, w := range a.weighed.Considered() {
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
