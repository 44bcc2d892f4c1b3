// Package broker is the embedded Kafka for one machine: franz-go's kfake with a data directory, access rules, and deletion of consumed
// records.
//
// Acknowledged records survive kill -9. They survive a power failure only if Sync is set; the broker logs this at start. Flyball's own
// topics and groups require its password; on loopback all clients may read and write other topics. Clients of the same process connect
// through memory (Dial) and authenticate as others do.
//
// It does not listen on other addresses than loopback without authentication. It does not share a directory with another process. It does
// not delete a record of a topic in Readers before all its readers have committed it. It is not a cluster.
package broker
