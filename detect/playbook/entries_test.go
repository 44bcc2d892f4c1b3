package playbook

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"flyball/detect/score"
	"flyball/schema"
)

func TestEveryFamilyHasACard(t *testing.T) {
	for _, f := range append(score.Families[:], schema.FamilyPace, schema.FamilyAfterTask, schema.FamilyBorrowed, schema.FamilyScope,
		schema.FamilyIdentity) {
		c, ok := Find(f)
		if !ok || c.Means == "" || len(c.Benign) == 0 || len(c.Check) == 0 || len(c.Contain) == 0 || c.Close == "" {
			t.Errorf("%s: %+v", f, c)
		}
	}
}

func TestCardKeepsPlaceholders(t *testing.T) {
	placeholder := regexp.MustCompile(`\b(RUN|AGENT|VERSION|CREDENTIAL|ID)\b`)
	known := Subject{Program: "flyball --profile prod", Finding: "f_1", Run: "0190aaaa", Agent: "billing bot", Version: "1.4",
		Credential: "k_1"}
	for _, f := range Families() {
		e, _ := Find(f)
		c := e.For(known)
		lines := append(append([]string{c.Close, c.Judge}, c.Check...), c.Contain...)
		for _, l := range lines {
			if placeholder.MatchString(l) {
				t.Errorf("%s: %s", f, l)
			}
		}
		for _, l := range c.Contain {
			if strings.Contains(l, "breakers trip") && !strings.Contains(l, "--reason '…'") {
				t.Errorf("%s: the command is refused without a reason: %s", f, l)
			}
		}
		if c.Judge != "flyball --profile prod findings verdict f_1 true --reason '…' (or benign, or test)" {
			t.Errorf("%s: %s", f, c.Judge)
		}
		if before, _ := Find(f); !slices.Equal(before.Check, e.Check) || before.Judge != "" {
			t.Errorf("%s: the card of the next finding is filled in for this one", f)
		}
	}
	e, _ := Find(schema.FamilyDestroy)
	if got := e.For(Subject{Run: "r"}).Contain[0]; !strings.HasPrefix(got, "(the credential of the run is not known) flyball breakers trip") {
		t.Errorf("without a credential: %s", got)
	}
	loop, _ := Find(schema.FamilyLoop)
	if got := loop.For(known).Contain[1]; got !=
		"flyball --profile prod breakers trip version 'billing bot@1.4' --for 1h --reason '…' if a deployment did it" {
		t.Errorf("a version: %s", got)
	}
}
