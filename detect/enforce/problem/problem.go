// Package problem defines the JSON form of refusals (RFC 9457) that the check's answers to gateways
// and the control API share. It does not write responses and does not decide.
package problem

import "flyball/detect/enforce/ledger"

// MediaType is the media type of a problem.
const MediaType = "application/problem+json"

// Document is the body of a response that is not a success.
type Document struct {
	Type     string   `json:"type"`
	Title    string   `json:"title"`
	Status   int      `json:"status"`
	Detail   string   `json:"detail"`
	Instance string   `json:"instance,omitempty"`
	Reason   string   `json:"reason,omitempty"`  // named reason, only of a refusal of the control API
	Flyball  *Details `json:"flyball,omitempty"` // only in an answer to a gateway
}

// Details are the fields for programs in an answer to a gateway.
type Details struct {
	Reason     string `json:"reason"` // named reason
	Action     string `json:"action"`
	Scope      string `json:"scope,omitempty"` // of the breaker that decided
	Line       string `json:"manifest_line,omitempty"`
	Gate       string `json:"gate_id,omitempty"`
	FindingID  string `json:"finding_id,omitempty"`
	Generation uint64 `json:"generation,omitempty"`
	Expires    string `json:"expires,omitempty"` // RFC 3339
	// Because is the text of the breaker's reason, Opened the named reason for the breaker's scope.
	Because    string `json:"because,omitempty"`
	Opened     string `json:"opened_because,omitempty"`
	DecisionID string `json:"decision_id"`
	// RetryAfter is in seconds; 0: sending the call again does not help.
	RetryAfter int `json:"retry_after_seconds,omitempty"`
	// Weighed are the enforced objections.
	Weighed []ledger.Objection `json:"weighed,omitempty"`
}
