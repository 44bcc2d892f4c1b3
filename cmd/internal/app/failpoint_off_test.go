//go:build !failpoints

package app

import "testing"

// The variable killed every binary, also those that users run.
func TestOrdinaryBinaryDoesNotEndAtAFailPoint(t *testing.T) {
	t.Setenv("FLYBALL_TEST_FAILPOINT", "ingest.durable|committed:1")
	failPoint(quiet())("ingest.durable|committed")
}
