// Package redteam holds attacks on enforcement, as data, and the tests that run them: against
// the check alone in every dialect, and behind each real gateway with its file of
// deploy/gateways.
//
// One rule applies to all of them: the check must decide on the request that the service
// receives, and the access log must name the caller that the check saw. An attack adds checks
// for its own requests. To add one, add an entry to the table of its kind (attacks_*_test.go).
//
// It does not contain code for other packages, and does not simulate a missing gateway: such a
// gateway is reported and left out, or is a failure if its tier is mandatory.
package redteam
