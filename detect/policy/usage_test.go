package policy

import (
	"slices"
	"testing"

	"flyball/schema"
)

func TestRuleThatMatchedNothingIsNamed(t *testing.T) {
	second := purge(t)
	second.Name = "again"
	other := purge(t)
	other.Name, other.Agent = "of another", "ops/*x"
	r := Rules{Arming: ParseArming(false, []string{"ops/*", "nobody", "tag:batch", "tag:none", "family:runaway.*", "family:exfiltration"}),
		Exceptions: []Exception{purge(t), second, other},
		Graded: []Rule{{Name: "deletes ask", Family: schema.FamilyDestroy, Action: schema.ActionGate},
			{Name: "anything of this agent", Agent: "ops/loose", Action: schema.ActionThrottle},
			{Name: "milder for the same", Family: schema.FamilyDestroy, Action: schema.ActionAnnotate}, {Name: "never", Tag: "payments",
				Action: schema.ActionDeny}, {Name: "not of history", Family: schema.FamilyAfterTask, Action: schema.ActionDeny}}}
	found := []string{schema.FamilyDestroy, schema.FamilyLoop, schema.FamilyExfiltration}
	u := NewUsage(&r, found)
	u.Record(purging(nil))
	u.Record(purging(func(in *Input) { in.Finding.AgentID, in.Tags = "ops/other", []string{"batch"} }))
	want := []Unused{{"policy", "anything of this agent", MatchedNothing}, {"policy", "milder for the same", Hidden},
		{"policy", "never", MatchedNothing}, {"policy", "not of history", NotReplayed},
		{"armed", "nobody", MatchedNothing}, {"armed", "tag:none", MatchedNothing}, {"armed", "family:exfiltration", MatchedNothing},
		{"exception", "again", Hidden}, {"exception", "of another", MatchedNothing}}
	if got := u.Unused(); !slices.Equal(got, want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
	r.Arming.All, r.Graded, r.Exceptions = true, nil, nil
	for _, x := range NewUsage(&r, found).Unused() {
		if x.Kind != "armed" || x.Why != ModeArmed {
			t.Errorf("armed altogether: %v", x)
		}
	}
}
