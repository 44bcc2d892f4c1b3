// Package check answers gateways: may this call pass? A gateway asks over HTTP, in the
// dialect of its kind, or over Envoy's ext_authz (gRPC). The answer follows from the state
// that the enforcement point has folded, is given from memory, and carries ids, a reason
// and a signed receipt.
//
// The checker waits for the log only where an answer must be claimed (a probe of a
// half-open breaker, a grant, a share of a quota), at most point.ClaimTimeout, and no
// result in time is a denial. It believes nothing that a client says in headers that are
// Flyball's own. What goes wrong inside it is a denial too: a gateway takes silence for an
// outage. Callers that only claim who they are have a share of the work, of the questions
// and of every memory to themselves, so that they take nothing from the others.
//
// It changes no state of its own accord: every change is a command in the log.
package check
