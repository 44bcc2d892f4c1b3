package kafka

import "time"

// SessionTimeout is how long a member of a group may be silent before Kafka gives its partitions to the other members. For so
// long the calls in the partitions of a process that was killed are not judged. Kafka's bounds are group.min.session.timeout.ms,
// 6 s by default, and group.max.session.timeout.ms. Heartbeats, one every 3 s, do not wait for the work of the process.
const SessionTimeout = 10 * time.Second
