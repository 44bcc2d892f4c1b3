// Package approval is the state machine of human approvals: questions, answers and uses of grants,
// in the order of the log. A question and its answer together are a schema.Gate.
//
// A question is asked once for a holder (a run, a credential or an agent) and a route, however
// often the call is repeated, and whatever the route is called by then. Without an answer it times out
// and counts as refused. A refusal stays in force for a while, so that the question is not asked again. A grant is bound to the holder,
// the route, the resource and all other known properties of the call; it has an end and a number of
// uses, and only one call gets each use.
//
// The package does not read a clock and does not check who may answer. The number of questions that
// wait is bounded.
package approval
