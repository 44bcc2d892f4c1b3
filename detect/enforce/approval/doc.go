// Package approval is the state machine of human approvals: questions, answers and uses of
// grants, in the order of the log. A question and its answer together are a schema.Gate.
//
// A question is asked once for a holder (a run, a credential or an agent) and a route,
// however often the call is repeated. Without an answer it times out and counts as refused.
// A refusal stays in force for a while, so that nobody is asked twice. A grant is bound to
// the holder, the route, the resource and everything else that was known of the call; it
// has an end and a number of uses, and only one call gets each use.
//
// It refuses to read a clock, to know who may answer, and to let more questions wait than
// people can answer.
package approval
