package main

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

// The reason was taken when the purge began. When the rows were deleted, it was too long with what is added: no end could be recorded.
func TestEndOfAPurgeIsRefusedForItsReason(t *testing.T) {
	const most = 1000 // of api.PurgeRequest
	if n := utf8.RuneCountInString(finishedWhy(strings.Repeat("ä", maxPurgeWhy), math.MaxUint64, math.MaxUint64)); n > most {
		t.Errorf("%d characters, the control API takes %d", n, most)
	}
}
