package enforce

import "flyball/schema"

// Request is a call that a gateway wants to let pass, with what is known about it.
type Request struct {
	Call  *schema.Call
	RunID schema.RunID // zero if the request names no run
	// Parents are the runs that a sub-agent's run is part of: a breaker on one of them also applies
	// to it.
	Parents []schema.RunID
	// RunFirstSeen is the log's time when the point first saw the run id, Unix ns; 0: unknown.
	RunFirstSeen int64
	// Credentials are all credentials of the request; empty: only that of the call.
	Credentials []string
	// Claimed are names that are not verified: only a breaker that a person forced open applies to
	// them.
	Claimed []schema.Scope
	// Standing of the caller, from the call and the proven credentials.
	Standing schema.Standing
	// Task is the task that was declared for the call's run, ended or not; nil: none.
	Task *schema.Task
	// Spellings returns the other names that the route of a call has had or would have, as "GET /items/{slug}":
	// a breaker on one of them applies, too. nil: none.
	Spellings func(*schema.Call) []string
	// ClaimedTaskType is the type of task that the caller claims. It can only narrow what is
	// allowed.
	ClaimedTaskType string
}
