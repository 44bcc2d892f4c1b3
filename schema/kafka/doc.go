// Package kafka is how every part of Flyball talks to Kafka: the one constructor
// of clients, the loop of a consumer, commits read partition by partition, reading
// a topic to its end, callbacks of records that nobody waits for, and retries.
//
// It counts every error under a bounded class, logs it at a limited rate, and
// separates errors that pass from those that somebody has to mend. It refuses to know
// what a record means: codecs are in schema/wire, and each part owns its topics.
package kafka
