package schema

import (
	"encoding/json"
	"strings"
	"testing"
)

// Run ids are stored, and ingest and the check compute the same ones: an identity must
// have the same id in every release.
func TestRunIDsStayWhatTheyAre(t *testing.T) {
	base := RunIdentity{Tenant: "default", RoutingActor: "agent:billing/bot", Credential: "key-1", Rule: RunExplicit, Key: "task-7"}
	changed := func(change func(*RunIdentity)) RunIdentity {
		r := base
		change(&r)
		return r
	}
	golden := map[string]RunIdentity{
		"76919376-8b85-8728-86f9-8df957eb6433": {},
		"4ad1274d-0460-8c97-a394-0d1f760c3c60": base,
		"baf706ea-ebd1-8934-8ff3-20c459c4e99e": changed(func(r *RunIdentity) { r.Rule = RunTrace }),
		"6efc1ab3-18ec-867d-881c-e496f3bea63e": changed(func(r *RunIdentity) { r.Credential = "key-2" }),
		"49bdd925-9439-82ae-a209-1bbc395db89c": changed(func(r *RunIdentity) { r.Principal = "alice" }),
		"472882b8-e0c6-8272-af9d-6e816b171e3c": changed(func(r *RunIdentity) { r.Credential, r.Key = "key-1task", "-7" }),
		// the same bytes, divided differently
	}
	for want, r := range golden {
		if got := r.ID().String(); got != want {
			t.Errorf("%+v: %s, want %s", r, got, want)
		}
	}
}

func TestRunIDReadsBackAndNothingElseDoes(t *testing.T) {
	id := RunIdentity{Tenant: "default", Key: "task-7"}.ID()
	text := id.String()
	if text[14] != '8' || !strings.ContainsRune("89ab", rune(text[19])) {
		t.Errorf("%s is no UUID of version 8", text)
	}
	if got, err := ParseRunID(text); err != nil || got != id {
		t.Errorf("%s reads as %s, %v", text, got, err)
	}
	var back struct{ RunID RunID }
	b, err := json.Marshal(struct{ RunID RunID }{id})
	if err != nil || json.Unmarshal(b, &back) != nil || back.RunID != id {
		t.Errorf("JSON %s, %v", b, err)
	}
	for _, bad := range []string{"", "task-7", text[:35], text + "0", strings.Replace(text, "-", "_", 1), text[:35] + "g",
		strings.ReplaceAll(text, "-", "")} {
		if got, err := ParseRunID(bad); err == nil || !got.IsZero() {
			t.Errorf("%q reads as %s", bad, got)
		}
	}
}

// The run of a sub-agent is separate from that of its parent under the same key, for any
// names.
func TestSubAgentsHaveRunsOfTheirOwn(t *testing.T) {
	call := func(agent, asserted, parent string) *Call {
		return &Call{RunKey: "task-7", AgentID: agent, AgentAsserted: asserted, ParentAgent: parent}
	}
	for name, c := range map[string]struct {
		call *Call
		want string
	}{
		"no parent":                   {call("bot", "", ""), "task-7"},
		"sub-agent":                   {call("helper", "", "bot"), "task-7\x00helper"},
		"sub-agent by its own word":   {call("bot", "helper", "bot"), "task-7\x00helper"},
		"parent without a key of its": {call("bot", "helper", ""), "task-7"},
	} {
		if got := c.call.OwnRunKey(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := call("helper", "", "bot").ParentRunKeys(); len(got) != 2 || got[0] != "task-7\x00bot" || got[1] != "task-7" {
		t.Errorf("keys of the parent: %q", got)
	}
	if got := call("bot", "", "").ParentRunKeys(); got != nil {
		t.Errorf("a run without a parent has the keys %q", got)
	}
}
