// Package decode turns a Kafka record into calls: unwrap the shippers'
// envelopes, read the format, take the digest's inputs, redact, identify, route.
// One record holds any number of items; each becomes a call or a dead letter
// with a named reason.
//
// It refuses to lose an item silently, to panic on any input, to keep a secret
// or a body, and to remember anything from one record to the next.
package decode
