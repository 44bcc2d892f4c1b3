package enforce

import "flyball/schema"

// Request is a call that a gateway asks about, and what is known around it.
type Request struct {
	Call  *schema.Call
	RunID schema.RunID // zero when the request names no run
	// Parents are the runs that a sub-agent's run is part of: what stops them stops it.
	Parents []schema.RunID
	// RunFirstSeen is the log's time when the point first saw the run id, Unix ns; 0: unknown.
	RunFirstSeen int64
	// Credentials are all that the request shows; empty: only the call's own.
	Credentials []string
	// Claimed are names that nobody has verified: only a breaker that a person has forced
	// open applies to them.
	Claimed []schema.Scope
	// Standing of the caller, by the call and by the credentials that are proven.
	Standing schema.Standing
	// Task that was declared for the call's run, over or not; nil: none.
	Task *schema.Task
	// ClaimedTaskType is the type of task that the caller claims. It can only narrow.
	ClaimedTaskType string
}
