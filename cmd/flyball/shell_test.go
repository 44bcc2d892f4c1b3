package main

import (
	"os/exec"
	"testing"
)

// The command that a trip prints for its reset was not valid for a name with an apostrophe.
func TestPrintedCommandIsOneWordInAShell(t *testing.T) {
	for _, s := range []string{"plain", "", "a b", "it's", "''", `back\slash`, "$(id)", "`id`", "a\nb", "*", "~", "!x", "a;b"} {
		out, err := exec.Command("bash", "-c", "printf %s "+shellWord(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q became %q: %v", s, out, err)
		}
	}
}
