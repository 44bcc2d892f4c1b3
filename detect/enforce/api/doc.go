// Package api is the enforcement point: it folds the command log into
// breakers, gates, tasks, manifests and quotas, answers gateways from memory,
// takes operators' commands and puts what it was asked into flyball.calls.
//
// It refuses to decide anything by itself: an answer follows from the log alone,
// and where two points could answer differently (a probe, one use of a grant, a
// share of a quota) it claims through the log and takes no answer for a no. It
// refuses to answer before it has read the log, to wait for I/O in an answer that
// needs no claim, and to believe what a client says in headers that are Flyball's.
package api
