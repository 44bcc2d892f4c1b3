package check

import (
	"encoding/json"
	"strconv"

	"flyball/detect/enforce/problem"
	"flyball/schema"
	"flyball/schema/identity"
)

// kind returns the kind of the problem: the last part of its type.
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

// problem returns the body of a denial as JSON. A denial is final and about this call.
func (a *answer) problem() []byte {
	p := problem.Document{Type: "urn:flyball:problem:" + a.kind(), Status: a.status, Instance: "urn:flyball:decision:" + a.decision,
		Flyball: &problem.Details{Reason: a.why, Action: a.action.String(), Line: a.line, Gate: a.gate, DecisionID: a.decision}}
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
		if w.Mode == schema.ModeArmed { // what is only observed is not shown to the caller
			p.Flyball.Weighed = append(p.Flyball.Weighed, w)
		}
	}
	body, err := json.Marshal(p)
	if err != nil {
		return []byte(`{"status":` + strconv.Itoa(a.status) + `}`)
	}
	return body
}
