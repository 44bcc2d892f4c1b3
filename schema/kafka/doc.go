// Package kafka is the only access of Flyball to Kafka: the constructor of clients, the
// consumer loop, commits with the result of each partition, reading a topic to its end,
// callbacks of asynchronous records, and retries.
//
// It counts every error under a class from a bounded set, logs it at a limited rate, and
// distinguishes temporary errors from those that an operator must repair. It does not decode
// records: codecs are in schema/wire, and each part owns its topics.
package kafka
