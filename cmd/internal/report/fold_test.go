package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
)

// A terminal broke lines within words and at its left edge, where they look like other lines of the report.
func TestTextIsBrokenWithinAWordOrACommand(t *testing.T) {
	for name, c := range map[string]struct {
		width      int
		text, want string
	}{
		"fits":           {20, "run  r-1\n", "run  r-1\n"},
		"a pipe":         {0, strings.Repeat("word ", 40), strings.Repeat("word ", 40)},
		"a label":        {30, "from     one day to another, 42 calls\n", "from     one day to another,\n         42 calls\n"},
		"two columns":    {40, "WRONG  files  the file is open to others\n", "WRONG  files  the file is open to others\n"},
		"broken columns": {36, "WRONG  files  the file is open to others\n", "WRONG  files  the file is open to\n              others\n"},
		"a mark":         {30, "  · polling a job whose answer is late\n", "  · polling a job whose answer\n    is late\n"},
		"a command": {40, "undo it: flyball breakers reset run 0190aaaa --reason '…' (or wait)\n",
			"undo it:\nflyball breakers reset run 0190aaaa --reason '…'\n(or wait)\n"},
		"a command that is wider": {20, "flyball touched --resource order:9\n", "flyball touched --resource order:9\n"},
		"a command in a sentence": {30, "nothing is known: flyball status says whether calls arrive\n",
			"nothing is known:\nflyball status says whether\ncalls arrive\n"},
		"a number and its unit": {22, "it was refused by 42 calls\n", "it was refused by\n42 calls\n"},
		"a word that is wider":  {10, "see https://flyball.example/a/long/path here\n", "see\nhttps://flyball.example/a/long/path\nhere\n"},
		"wide characters":       {10, "価格 価格 価格 価格\n", "価格 価格\n価格 価格\n"},
		"a list in YAML": {30, "say: routes: [{method: POST, template: \"/refunds\"}] at once\n",
			"say: routes:\n[{method: POST, template: \"/refunds\"}]\nat once\n"},
		"several lines, empty ones": {10, "one two three\n\nfour\n", "one two\nthree\n\nfour\n"},
	} {
		if got := fold(c.text, c.width); got != c.want {
			t.Errorf("%s:\n%q, not\n%q", name, got, c.want)
		}
	}
}

// The words of a text stay, in their order.
func FuzzFold(f *testing.F) {
	f.Add("from     one day to another, flyball runs: 42 calls", 20)
	f.Add("  - [{a: b}] 1 (flyball x) \n\t価", 3)
	f.Fuzz(func(t *testing.T, text string, width int) {
		if got := fold(text, width); strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(text), " ") {
			t.Errorf("%q became %q", text, got)
		}
	})
}

// The value of a dead letter, which anybody can send, went on at the left edge of a terminal like a line of the report.
func TestTextOfOthersLooksLikeALineOfTheReport(t *testing.T) {
	var out bytes.Buffer
	s := &Screen{Writer: &out, Width: 20}
	if err := Quoted(s, "value  | ", strings.Repeat("x", 11)+"3  harmless\n"+strings.Repeat("価", 12)); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if !strings.HasPrefix(line, "value  | ") || runewidth.StringWidth(strings.TrimSuffix(line, "\n")) > 20 {
			t.Errorf("%q", line)
		}
	}
}

// A reason was cut, and with it what to do.
func TestReasonIsCutOnAScreen(t *testing.T) {
	const reason = "no page came within 30s: the role alert is not ready, or its address cannot be reached from here"
	for width := 40; width <= 120; width += 10 {
		var out bytes.Buffer
		screen := &Screen{Writer: &out, Width: width}
		if err := Table(screen, "HOP | WHAT | AFTER", func(row func(...any)) { row("paged", Prose(reason), 12) }); err != nil {
			t.Fatal(err)
		}
		got := strings.ReplaceAll(strings.Join(strings.Fields(out.String()), " "), " 12 ", " ")
		if strings.Contains(got, "…") || !strings.Contains(got, "or its") {
			t.Errorf("%d columns:\n%s", width, &out)
		}
		for line := range strings.Lines(out.String()) {
			if n := runewidth.StringWidth(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d columns: a line of %d:\n%s", width, n, line)
			}
		}
	}
}
