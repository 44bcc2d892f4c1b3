package plugin

import (
	"os/exec"
	"testing"

	"flyball/schema"
)

// An agent chose a name that is a command, and the sentence after a trip told a person to paste it.
func TestCommandToPasteRunsWhatAnAgentChose(t *testing.T) {
	for _, name := range []string{"billing/bot", "x; echo run", "$(echo run)", "`echo run`", "it's", "a b", "x\necho run", "<x>&"} {
		for _, verb := range []string{"reset", "trip"} {
			line := schema.Visible(command(verb, schema.Scope{Kind: schema.ScopeAgent, Value: name}))
			out, err := exec.Command("sh", "-c", `flyball() { printf '[%s]' "$@"; }; `+line).CombinedOutput()
			if want := "[breakers][" + verb + "][agent][" + name + "]"; err != nil || string(out) != want {
				t.Errorf("%s: %q %v", line, out, err)
			}
		}
	}
}
