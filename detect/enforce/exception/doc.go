// Package exception is the state machine of exceptions: findings that a person expects. A trip that
// an exception covers is recorded and opens no breaker.
//
// It is a function of the commands in the order of the log, on the log's clock. It does not cover
// what manifests decide, nor callers that only claim a name.
package exception
