// Package decode turns a Kafka record into calls: unwrap the shippers'
// envelopes, read the format, take the digest's inputs, redact, identify, route.
// One record holds any number of items; each becomes a call or a dead letter
// with a named reason, and is numbered by its place among all of them.
//
// What is a call: a record of an access log, also as an OpenTelemetry log
// record; of spans those of servers, those of clients that say by HTTP, MCP or
// GenAI attributes what they called, and internal ones that are an agent's or a
// tool's own. Other spans are left out and are no items. A log record that is
// no access log is a dead letter: nobody else would say that it was not read.
//
// Nothing at all comes of a tombstone, of a shipper's control message, and of
// an export whose spans are no calls; the source counts such records.
//
// Package decode refuses to lose an item silently, to panic on any input, to
// keep a secret, a body or a query's value, to believe from a request header
// what only the gateway can know, and to read a clock: the same record is the
// same calls whenever it is read.
package decode
