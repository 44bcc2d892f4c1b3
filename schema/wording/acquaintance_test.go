package wording

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"flyball/schema"
)

func TestClassOfAcquaintanceWithoutAText(t *testing.T) {
	seen := map[string]bool{}
	for n, name := range schema.AcquaintanceWords {
		v := schema.Acquaintance(n)
		text := Acquaintance(v)
		if (text == "") != (name == "") || seen[text] || AcquaintanceOf(name) != text {
			t.Errorf("%q is %q", name, text)
		}
		if seen[text] = true; v.IsStranger() != strings.HasPrefix(text, "a stranger") {
			t.Errorf("%q is a stranger: %v", text, v.IsStranger())
		}
	}
	if got := AcquaintanceOf("of_a_newer_release"); got != "of a newer release" {
		t.Errorf("a class of a newer release is %q", got)
	}
}

// The reasons for which a class is uncalibrated, as constants of the package of baselines, and what each says about trips.
func TestReasonOfAnUncalibratedClassHasNoText(t *testing.T) {
	source, err := os.ReadFile("../../detect/model/baseline/thresholds.go")
	if err != nil {
		t.Fatal(err)
	}
	silent := map[string]string{"few_held_out_runs": "raise", "few_populations": "abstains from trips",
		"populations_differ": "abstains from trips", "earlier_release": "the same thresholds", "nothing_learned": "no score reaches a level"}
	for _, m := range regexp.MustCompile(`Why[A-Za-z]+ += "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
		if silent[m[1]] == "" {
			t.Errorf("%s has no text", m[1])
		}
	}
	for why, want := range silent {
		if got := Uncalibrated(why); !strings.Contains(got, want) {
			t.Errorf("%s is %q, which does not say %q", why, got, want)
		}
	}
	if got := Uncalibrated("of_a_newer_release"); got != "of a newer release" {
		t.Errorf("a reason of a newer release is %q", got)
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
