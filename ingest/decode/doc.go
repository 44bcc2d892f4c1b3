// Package decode turns a Kafka record into calls: it removes the envelopes of shippers, reads the format, collects the input of the
// digest, redacts, and applies the identity and route rules. A record contains any number of items. Each item becomes a call or a dead
// letter with a reason, and has a number: its index among all items of the record.
//
// Calls are: records of an access log, also as OpenTelemetry log records; spans of servers; spans of clients with HTTP, MCP or GenAI
// attributes that describe the call; and internal spans of an agent or a tool. Other spans are skipped and are not items. A log record
// that is not an access log becomes a dead letter, because otherwise the operator would not learn that it was not read.
//
// A tombstone, a control message of a shipper, and an export without spans that are calls give no item. The source counts such records.
//
// It does not drop an item silently and does not panic on any input. It does not keep secrets, bodies or query values. It does not accept
// a request header as evidence for a fact that only the gateway can know. It does not read a clock: the same record always gives the same
// calls.
package decode
