package main

import (
	"strings"
	"testing"
)

// Without an answer of a point nothing is known about what is armed and which manifests hold; reports
// said "not armed", "no manifest", or nothing.
func TestUnknownArmingIsTakenForNone(t *testing.T) {
	for _, name := range []string{"agents", "start-here", "hygiene"} {
		l := listings()[name]
		f := newFixture(t, "")
		f.db = l.db
		code, out, errs := f.run(l.args...)
		if code != exitIncomplete || !strings.Contains(errs, "unknown: ") || !strings.Contains(errs, "404") {
			t.Errorf("%s: exit %d, %s", name, code, errs)
		}
		for _, claim := range []string{"no_manifest", "gate, manifest, owner"} {
			if strings.Contains(out, claim) {
				t.Errorf("%s claims %q without an answer of a point:\n%s", name, claim, out)
			}
		}
		if name == "agents" && !strings.Contains(out, "verified  -      unknown") {
			t.Errorf("%s", out)
		}
	}
}
