// Package exception is the state machine of exceptions: findings that a person expects. A
// trip that an exception covers is recorded and opens no breaker.
//
// It is a function of the commands in the order of the log, on the log's clock. It refuses
// to cover what manifests decide, and callers who only claim a name.
package exception
