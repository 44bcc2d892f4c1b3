//go:build !failpoints

package app

import "testing"

// The variable ended every binary, those that users run too.
func TestOrdinaryBinaryDoesNotEndAtAFailPoint(t *testing.T) {
	t.Setenv("FLYBALL_TEST_FAILPOINT", "ingest.durable|committed:1")
	failPoint(quiet())("ingest.durable|committed")
}
