// Package exception is the state of the commands that say which findings are meant:
// a trip that one of them covers is recorded and opens no breaker.
//
// It is a function of the commands in the order of their log, on the log's clock. It
// refuses to cover what manifests decide, and callers who only claim a name.
package exception
