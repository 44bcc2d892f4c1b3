package document

import "testing"

func TestNearestNameIsTheOneWithTheFewestEdits(t *testing.T) {
	names := []string{"tenant", "topic", "tonic", "signal"}
	for name, want := range map[string]string{"tenat": "tenant", "signal": "signal", "topik": "topic", "toic": "tonic", "": "tonic",
		"xsignalx": "signal"} {
		if got := Nearest(name, names); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if got := Nearest("x", nil); got != "" {
		t.Errorf("of no names: %q", got)
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"abc", "abc", 0}, {"abc", "acb", 2}} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
