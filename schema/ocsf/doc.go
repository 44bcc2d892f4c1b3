// Package ocsf writes findings and calls as events of the Open Cybersecurity Schema Framework, version 1.9.0: a finding is a
// Detection Finding (class 2004), a call is an API Activity (class 6003) with the profiles ai_operation, record_integrity and
// trace. CEF is a second rendering of the same events, for receivers of syslog.
//
// An event of the same finding version or call has always the same bytes except for its signature, and the same metadata.uid:
// events are delivered at least once, and a receiver drops repeats by that id.
package ocsf
