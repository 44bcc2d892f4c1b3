package schema

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

// hostileRunes are characters that change what a person sees: C0, C1, bidi, separators, without width, tags, fillers.
var hostileRunes = []rune{0, '\t', '\n', '\r', 0x1b, 0x7f, 0x80, 0x85, 0x9b, 0x9d, 0xad, 0x34f, 0x61c, 0x115f, 0x180e, 0x200b, 0x200c,
	0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e, 0x2060, 0x2066, 0x2069, 0x2800, 0x3164, 0xfe0f, 0xfeff, 0xfff9, 0xffa0,
	0xe0001, 0xe0041, 0xe0100}

func FuzzVisibleTexts(f *testing.F) {
	for _, r := range hostileRunes {
		f.Add("order:" + string(r) + "7 <!channel> [x](y)")
	}
	f.Add("\xff\xc0\x80 plain")
	f.Fuzz(func(t *testing.T, s string) {
		for name, shown := range map[string]string{"Visible": Visible(s), "Chat": Chat(s)} {
			for _, r := range shown {
				if !unicode.IsPrint(r) || filler(r) {
					t.Errorf("%s(%q) contains %U", name, s, r)
				}
			}
			if Visible(shown) != shown {
				t.Errorf("%s(%q) changes when it is escaped again", name, s)
			}
		}
		if c := Chat(s); strings.ContainsAny(c, "<>`") || strings.Contains(c, "](") || strings.Contains(c, "@here") {
			t.Errorf("Chat(%q) is %q", s, c)
		}
		text, err := json.MarshalIndent(map[string]string{s: s}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		visible := VisibleJSON(text)
		for _, r := range string(visible) {
			if r != '\n' && (!unicode.IsPrint(r) || filler(r)) {
				t.Errorf("JSON of %q contains %U", s, r)
			}
		}
		var was, is map[string]string
		if json.Unmarshal(text, &was) != nil || json.Unmarshal(visible, &is) != nil {
			t.Fatalf("%s became %s", text, visible)
		}
		for k, v := range was {
			if is[k] != v {
				t.Errorf("%s became %s", text, visible)
			}
		}
	})
}

func TestVisibleTextOfPeopleIsUnchanged(t *testing.T) {
	for _, s := range []string{"", "GET /orders/7", "Zoë Ångström", "日本語", "مرحبا", "🙂", "bob@corp.example", "a\\nb"} {
		if Visible(s) != s || Chat(s) != s || string(VisibleJSON([]byte(`"`+s+`"`))) != `"`+s+`"` {
			t.Errorf("%q became %q, %q", s, Visible(s), Chat(s))
		}
	}
}
