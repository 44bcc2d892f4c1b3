// Package redteam holds attacks on enforcement, as data, and the tests that run
// them: against the check alone in every dialect, and behind each real gateway
// with its file of deploy/gateways.
//
// One rule judges all of them: what the service received is what was decided on,
// and what the access log says is who the check saw. An attack adds what must
// hold for its own requests. To add one, add an entry to the table of its kind
// (attacks_*_test.go).
//
// It refuses to be imported, and to stand in for a gateway that is missing: a
// gateway that a machine lacks is named and left out, or fails where its tier is
// mandatory.
package redteam
