package report

import (
	"testing"

	"github.com/goccy/go-yaml"
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
