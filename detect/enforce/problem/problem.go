// Package problem is the form of refusals (RFC 9457), which the check's answers to
// gateways and the control API share. It writes none and decides nothing.
package problem

import "flyball/detect/enforce/ledger"

// MediaType of a problem.
const MediaType = "application/problem+json"

// Document of an answer that is no success.
type Document struct {
	Type     string   `json:"type"`
	Title    string   `json:"title"`
	Status   int      `json:"status"`
	Detail   string   `json:"detail"`
	Instance string   `json:"instance,omitempty"`
	Flyball  *Details `json:"flyball,omitempty"` // of an answer to a gateway
}

// Details are what programs read of an answer to a gateway.
type Details struct {
	Reason     string `json:"reason"` // named reason
	Action     string `json:"action"`
	Scope      string `json:"scope,omitempty"` // of the breaker that decided
	Line       string `json:"manifest_line,omitempty"`
	Gate       string `json:"gate_id,omitempty"`
	FindingID  string `json:"finding_id,omitempty"`
	Generation uint64 `json:"generation,omitempty"`
	Expires    string `json:"expires,omitempty"` // RFC 3339
	// Because is the text of the breaker's reason, Opened the named reason for its scope.
	Because    string `json:"because,omitempty"`
	Opened     string `json:"opened_because,omitempty"`
	DecisionID string `json:"decision_id"`
	// RetryAfter is in seconds; 0: to send the call again does not help.
	RetryAfter int `json:"retry_after_seconds,omitempty"`
	// Weighed are the objections that are enforced.
	Weighed []ledger.Objection `json:"weighed,omitempty"`
}
