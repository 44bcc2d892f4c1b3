package bypass

import (
	"testing"
	"time"
)

func TestLengthOfABypassIsLostOrInvented(t *testing.T) {
	for _, reason := range []string{"x", "a migration\nof two lines", "it says [for 9h]", ""} {
		for _, length := range []time.Duration{time.Second, time.Hour, 24 * time.Hour, 90 * time.Minute} {
			if given, got, ok := Length(Reason(reason, length)); given != reason || got != length || !ok {
				t.Errorf("%q for %s: %q %s %t", reason, length, given, got, ok)
			}
		}
	}
	for _, old := range []string{"", "x", "for 9h", "[for 9h] x", "x [for ever]", "x [for 0s]", "x [for -1h]", "x [for 9h"} {
		if given, _, ok := Length(old); given != old || ok {
			t.Errorf("%q is the reason %q with a length", old, given)
		}
	}
}
