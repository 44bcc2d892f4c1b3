package mapping

import (
	"strings"
	"testing"
)

// Of two addresses in a log one is the caller's word: the comments of a preset must say which one is taken.
func TestPresetHidesWhichAddressItTakes(t *testing.T) {
	for _, name := range PresetNames() {
		text, err := Text(name)
		if err != nil {
			t.Fatal(err)
		}
		said := false
		for line := range strings.Lines(string(text)) {
			if _, comment, ok := strings.Cut(line, "#"); ok {
				said = said || strings.Contains(comment, "client_ip") || strings.Contains(comment, "peer")
			}
		}
		if !said {
			t.Errorf("%s: no comment says which address client_ip is", name)
		}
	}
}

func TestEveryPresetCompiles(t *testing.T) {
	for _, p := range Presets() {
		if p == nil || p.Title == "" {
			t.Errorf("%+v: a preset without a title", p)
		}
	}
}
