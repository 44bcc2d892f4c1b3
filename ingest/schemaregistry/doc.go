// Package schemaregistry reads records that were written with a schema of a Confluent-compatible registry: Avro and Protobuf. It gives them
// as JSON, which the decoder reads like any other record.
//
// A schema is asked for once and kept. A registry that does not answer holds up a record for a bounded time; after that the record is an
// error that says so, becomes a dead letter with its bytes, and can be replayed. Ids in records are chosen by their writers: the number of
// kept schemas and of requests a second is bounded.
package schemaregistry
