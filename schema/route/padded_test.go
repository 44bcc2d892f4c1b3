package route

import (
	"strings"
	"testing"

	"flyball/schema"
)

// Segments that a server removes pushed the rest of a path behind the length that is kept: the call was one of /.
func TestPaddingPushesAPathOutOfSight(t *testing.T) {
	table := tableOf(t, nil, []string{"-GET /shop/items/{slug}"}, "GET /shop/items/{slug}")
	for _, padding := range []string{"/.", "//", "/%2e", "/x/..", "/%2E/."} {
		for _, n := range []int{schema.MaxPath, MaxReadable} {
			path := strings.Repeat(padding, n) + "/shop/items/blue"
			if got := Shortened(path, schema.MaxPath); got != "/shop/items/blue" {
				t.Errorf("%s: %.40q", padding, got)
			}
			c := &schema.Call{Method: "GET", Path: path}
			table.Classify(c, &Input{})
			if c.Path = Shortened(path, schema.MaxPath); c.Route != "/shop/items/blue" {
				t.Errorf("%s, %d times: %.40q", padding, n, c.Route)
			}
			if got := table.Spellings(c); len(got) != 1 || got[0] != "GET /shop/items/{slug}" {
				t.Errorf("%s: a breaker on the former name does not apply: %q", padding, got)
			}
		}
	}
	for _, path := range []string{"/a/./b", "/a", "", strings.Repeat("/.", 20)} {
		if got := Shortened(path, 40); got != path {
			t.Errorf("%q became %q", path, got)
		}
	}
	long := "/" + strings.Repeat("é", 3000)
	if got := Shortened(long, schema.MaxPath); got != long {
		t.Errorf("%.60q", got)
	}
}
