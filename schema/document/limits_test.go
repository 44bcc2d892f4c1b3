package document

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// bombs are short texts that a parser of YAML takes gigabytes or minutes for.
var bombs = map[string]struct{ text, says string }{
	"brackets":          {strings.Repeat("[", 60_000), "nested more than 32 deep"},
	"braces":            {strings.Repeat("{a: ", 16_000), "nested more than 32 deep"},
	"closed brackets":   {strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000), "nested more than 32 deep"},
	"lists on one line": {strings.Repeat("- ", 30_000), "nested more than 32 deep"},
	"keys on one line":  {strings.Repeat("a: ", 20_000), "nested more than 32 deep"},
	"question marks":    {strings.Repeat("? ", 30_000), "nested more than 32 deep"},
	"indentation": {func() string {
		var b strings.Builder
		for i := range 340 {
			b.WriteString(strings.Repeat(" ", i) + "a:\n")
		}
		return b.String()
	}(), "nested more than 32 deep"},
	"tags":           {strings.Repeat("!a ", 20_000), "more than 1000 anchors"},
	"anchors":        {strings.Repeat("&a ", 20_000), "more than 1000 anchors"},
	"many aliases":   {"a: &a " + strings.Repeat("x", 20_000) + "\nb: [" + strings.Repeat("*a,", 9_000) + "]", "more than 1000 anchors"},
	"a long value":   {"a: &a " + strings.Repeat("x", 20_000) + "\nb: [" + strings.Repeat("*a,", 900) + "]", "with its aliases replaced"},
	"doubled often":  {doubled("[%s, %s]"), "with its aliases replaced"},
	"doubled merges": {doubled("{a: %s, b: %s}"), "with its aliases replaced"},
	"itself":         {"a: &a [*a]", `alias "a" names nothing`},
	"4 MiB":          {strings.Repeat("#", 4<<20+1), "at most 4194304"},
}

// doubled is a document of 40 anchors, each of which is used twice by the next.
func doubled(pair string) string {
	var b strings.Builder
	b.WriteString("a0: &a0 x\n")
	for i := range 40 {
		of := fmt.Sprint("*a", i, " ")
		fmt.Fprintf(&b, "a%d: &a%d "+pair+"\n", i+1, i+1, of, of)
	}
	return b.String()
}

// A document of 60 KB cost gigabytes and minutes: it is refused before it is parsed, in a few MB.
func TestShortDocumentThatGrowsIsRefusedBeforeItIsParsed(t *testing.T) {
	for name, b := range bombs {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var into any
		err := Read([]byte(b.text), &into)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), b.says) {
			t.Errorf("%s: %.200v; want %q", name, err, b.says)
		}
		if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 24 {
			t.Errorf("%s: %d MiB were allocated", name, used)
		}
	}
}

// Documents that people write stay readable: comments, anchors, merges, and JSON.
func TestDocumentsThatPeopleWriteAreWithinTheLimits(t *testing.T) {
	var list strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&list, "- {name: 'agent-%d', tags: [a, b], owner: \"x: [y\"}\n", i)
	}
	for name, text := range map[string]string{
		"long list": list.String(),
		"merge":     "base: &base {a: 1, b: 2}\none: {<<: *base, c: 3}\ntwo:\n  <<: *base\n  c: 4\n",
		"json":      `{"a": {"b": [{"c": [1, 2, {"d": "[[[[[[[[[["}]}]}}`,
		"block":     "a:\n  b:\n  - c:\n    - d: |\n        [[[[[[[[\n        - - - -\n    - e\nf: g\n",
	} {
		var into any
		if err := Read([]byte(text), &into); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkBombs(b *testing.B) {
	for name, bomb := range bombs {
		b.Run(strings.ReplaceAll(name, " ", "_"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var into any
				_ = Read([]byte(bomb.text), &into)
			}
		})
	}
}
