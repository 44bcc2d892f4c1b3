// Package bypass puts the length of a bypass into its reason and reads it again. An entry of the audit trail has no other member that says
// when a bypass ends by itself, and the entries of two releases that read the same log must be equal.
package bypass

import (
	"regexp"
	"time"
)

// withLength matches what Reason returns.
var withLength = regexp.MustCompile(`(?s)^(.*) \[for (\d[0-9a-z.]*)\]$`)

// Reason returns the reason of a bypass with its length.
func Reason(reason string, length time.Duration) string {
	return reason + " [for " + length.String() + "]"
}

// Length returns the reason that a person gave, and the length of the bypass. ok is false for a reason without a length, which is of an
// earlier release.
func Length(reason string) (given string, length time.Duration, ok bool) {
	m := withLength.FindStringSubmatch(reason)
	if m == nil {
		return reason, 0, false
	}
	length, err := time.ParseDuration(m[2])
	if err != nil || length <= 0 {
		return reason, 0, false
	}
	return m[1], length, true
}
