// Package broker is the embedded Kafka for one machine: franz-go's kfake with
// a data directory, looked after.
//
// It survives kill -9 with everything it acknowledged; it survives power loss
// only when Sync is on, and it says so at start. Flyball's own topics and groups
// are for who has its password; on loopback anybody may write and read the others.
//
// It refuses to listen off loopback without authentication, to share a
// directory with another process, to delete a record that a reader of Flyball's
// has not committed, and to pretend to be a cluster.
package broker
