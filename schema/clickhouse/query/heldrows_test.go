package query

import (
	"slices"
	"strings"
	"testing"
)

// The engine refuses statements above 256 KiB, and the question itself may list maxListedRuns runs.
func TestManyHeldRunsMakeEveryQuestionTooLong(t *testing.T) {
	refs := slices.Repeat([]runRef{{tenant: "default", actor: 1<<32 - 1, id: noRun}}, maxListedRuns)
	head := strings.Join(heldNames(slices.Repeat([]string{noRun}, MaxHeldRuns)), ", ")
	if n := len(head) + len(callsOf(refs)) + len(idsOf(refs)); n > 200<<10 {
		t.Errorf("a question has %d bytes", n)
	}
}
