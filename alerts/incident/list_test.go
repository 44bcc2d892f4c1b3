package incident

import (
	"testing"

	"flyball/schema"
)

func TestSilenceIsCountedAgainstOtherIncidents(t *testing.T) {
	f := NewFold()
	hear(f, found(1, schema.LevelTrip, schema.FindingOpen, schema.ModeArmed))
	for name, c := range map[string]struct {
		tenant        string
		m             schema.Matchers
		matched, open int
	}{
		"all":            {"t", schema.Matchers{Family: "*"}, 1, 1},
		"another level":  {"t", schema.Matchers{Level: "alert"}, 0, 1},
		"another agent":  {"t", schema.Matchers{Agent: "a/*c"}, 0, 1},
		"another tenant": {"u", schema.Matchers{Family: "*"}, 0, 0},
	} {
		if matched, open := f.Matched(c.tenant, &c.m); matched != c.matched || open != c.open {
			t.Errorf("%s: %d of %d, want %d of %d", name, matched, open, c.matched, c.open)
		}
	}
}
