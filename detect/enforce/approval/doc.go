// Package approval is the state machine of human checkpoints: questions, answers and
// their uses, in the order of the log.
//
// A question is asked once for a holder and a route, however often the call is
// repeated; it times out to a no; a no stands for a while, so that nobody is
// asked twice; a yes is bound to the holder, the route, the resource and, where
// they were seen, the arguments, has an end and a number of uses, and each use is
// a claim that only one call wins.
//
// It refuses to read a clock, to know who may answer, and to let more questions
// wait than people can answer.
package approval
