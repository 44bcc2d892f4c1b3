package plugin

import (
	"testing"
	"unicode"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

func TestTextOfALogIsVisibleInGrafana(t *testing.T) {
	type row struct{ s string }
	f := frame("x", data.VisTypeTable, []row{{"order:\u202e7\x1b[2K\u2028"}}, 10, text("resource", func(r *row) string { return r.s }))
	got := f.Fields[0].At(0).(string)
	for _, r := range got {
		if !unicode.IsPrint(r) {
			t.Errorf("%U is in %q", r, got)
		}
	}
}
