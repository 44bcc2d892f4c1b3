package report

import (
	"testing"

	"github.com/goccy/go-yaml"

	"flyball/schema/clickhouse/query"
)

// What is proposed for a configuration holds names that agents choose.
func TestNameIsMoreThanOneValueOfYAML(t *testing.T) {
	for _, name := range []string{"billing/bot", "x, owner: me}, {id: y", "yes", "1e3", "# no", "a: b", "*a", "&a",
		"!a", "a\nb", `"`, "'", "", "-", "~",
		"null", "\u202e"} {
		var got []map[string]any
		err := yaml.Unmarshal([]byte("[{id: "+yamlWord(name)+", owner: o}]"), &got)
		if err != nil || len(got) != 1 || len(got[0]) != 2 || got[0]["id"] != name {
			t.Errorf("%q: %v %v", name, got, err)
		}
	}
}

// A caller that is known by its credential alone was to be declared by a consumer, under the id of the credential as its name.
func TestCallerWithoutANameIsDeclaredByAConsumer(t *testing.T) {
	for agent, want := range map[string]string{
		"cred:k_ssvc":  "agents: [{id: …, credential: \"k_ssvc\", owner: …}]",
		"billing/bot":  "agents: [{id: billing/bot, consumer: …, owner: …}]",
		"ip:192.0.2.7": "agents: [{id: \"ip:192.0.2.7\", consumer: …, owner: …}]",
	} {
		steps := nextSteps(&query.StartRow{AgentID: agent, Missing: []string{"owner"}})
		if len(steps) == 0 || steps[0].how != want {
			t.Errorf("%s: %+v", agent, steps)
		}
	}
}
