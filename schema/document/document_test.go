package document

import (
	"strings"
	"testing"
)

func TestATagTheLibraryBreaksOnIsRefused(t *testing.T) {
	for text, says := range map[string]string{
		"list: !0000 0000":   "no YAML that can be read",
		"list: [a]\nlost: 1": `unknown field "lost"`,
		"list: [a":           "[1:",
	} {
		var into struct{ List []string }
		if err := Read([]byte(text), &into); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", text, err)
		}
	}
	var into struct{ List []string }
	if err := Read([]byte("list: [a, b]"), &into); err != nil || len(into.List) != 2 {
		t.Errorf("%v, %v", into, err)
	}
}
