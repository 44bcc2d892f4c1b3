// Package siem writes findings to where a SIEM reads: a Kafka topic with JSON events of the Open Cybersecurity Schema Framework, and a
// receiver of syslog with the same events in CEF.
//
// An event is written at least once: the offset of flyball.events is committed after the topic has acknowledged it and the bytes for
// syslog are sent. A repeat has the same id (metadata.uid, the record's key and header "id"; externalId in CEF). Syslog has no
// acknowledgement: what was in the buffers of a connection that breaks is lost, unless the sender repeats it.
//
// Records wait in flyball.events, never in memory: while an output is away, reading stops.
package siem
