package wording

import (
	"strings"
	"testing"

	"flyball/schema"
)

func TestClassOfAcquaintanceWithoutAText(t *testing.T) {
	seen := map[string]bool{}
	for n, name := range schema.AcquaintanceWords {
		v := schema.Acquaintance(n)
		text := Acquaintance(v)
		if (text == "") != (name == "") || seen[text] || CallerOf(name) != Caller(v) || !strings.HasPrefix(Caller(v), text) {
			t.Errorf("%q is %q", name, text)
		}
		if seen[text] = true; v.IsStranger() != strings.HasPrefix(text, "a stranger") {
			t.Errorf("%q is a stranger: %v", text, v.IsStranger())
		}
	}
	if got := CallerOf("of_a_newer_release"); got != "of a newer release" {
		t.Errorf("a class of a newer release is %q", got)
	}
}

func TestWaitForAcquaintanceIsUnclear(t *testing.T) {
	l := schema.Learned{Runs: 12, RunsNeeded: 20, Group: "g", PeerRuns: 1200, PeerRunsNeeded: 60, PeerAgents: 1, PeerAgentsNeeded: 2,
		PendingRuns: 2, WaitRuns: 8, WaitDays: 4.01}
	for got, want := range map[string]string{OwnRuns(&l): "12 of 20", PeerRuns(&l): "1,200 runs, 1 of 2 agents",
		Wait(&l): "8 more clean runs (2 in quarantine), about 5 days"} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	l.WaitRuns, l.WaitDays = 1, .25
	if got := Wait(&l); got != "1 more clean run (in quarantine already), about a day" {
		t.Error(got)
	}
	l.PendingRuns = 0
	if l.WaitDays = schema.Unknown; Wait(&l) != "1 more clean run" {
		t.Error(Wait(&l))
	}
	if got := Wait(&schema.Learned{Runs: 20, RunsNeeded: 20}); got != "" {
		t.Error(got)
	}
	if got := PeerRuns(&schema.Learned{}); got != "no peers" {
		t.Error(got)
	}
}
