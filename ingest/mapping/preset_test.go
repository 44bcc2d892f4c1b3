package mapping

import "testing"

func TestEveryPresetCompiles(t *testing.T) {
	for _, p := range Presets() {
		if p == nil || p.Title == "" {
			t.Errorf("%+v: a preset without a title", p)
		}
	}
}
