package plugin

import (
	"testing"
	"unicode"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema"
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

// A link has a name as the table shows it.
func TestNameOfALinkIsNotTheNameInTheLog(t *testing.T) {
	for _, name := range []string{"team/a", "bot\u200b", "a\x1b[2K\r\n\t", "\xff\xfe", "\u00ad\U000e0100", `a\b`, `C:\new`} {
		shown := schema.Visible(name)
		if got := unescaped(shown); got != name && shown != name {
			t.Errorf("%q is shown as %q, which is read as %q", name, shown, got)
		}
	}
	if got := unescaped(`a\u0041`); got != `a\u0041` {
		t.Errorf("a letter is never shown as its number: %q", got)
	}
}
