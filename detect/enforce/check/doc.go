// Package check decides for gateways whether a call may pass. A gateway sends its request over
// HTTP, in the dialect of its kind, or over Envoy's ext_authz (gRPC). The answer is computed in
// memory from the state that the enforcement point has folded, and contains ids, a reason and a
// signed receipt.
//
// The checker waits for the log only if an answer must be claimed (a probe of a half-open breaker,
// a grant, a lease of a quota), at most point.ClaimTimeout; without a result in time the call is
// denied. It does not trust Flyball's own headers if a client sent them. A fault in the checker is
// a denial, too: a gateway treats a missing answer as an outage. Callers with a claimed identity
// have a separate share of the work, of the questions and of every memory, so that they cannot use
// up the room of the others.
//
// It does not change the state itself: every change is a command in the log.
package check
