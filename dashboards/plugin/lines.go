package plugin

import (
	"slices"
	"strings"
	"unicode"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// lineRunes are the names of fields whose texts agents and APIs choose, with how many small letters fit into a line: Grafana breaks a text
// at spaces and hyphens only and hides what is left of a longer word, so that two agents can look the same. A table has each of these
// fields a second time, in lines that fit the narrowest column of the field, for dashboards to show; links and actions read the text.
var lineRunes = map[string]int{"agent": 20, "scope": 26, "resource": 23, "route": 28, "call": 24, "reason": 20, "what happened": 32,
	"what": 31, "owner": 14, "manifest": 15, "by": 10}

// LineRunes returns how many small letters are in one line of a field; 0: the field has no lines.
func LineRunes(name string) int { return lineRunes[name] }

// ShownField returns the name of the field that a table shows in place of one whose text may not fit into its column; empty: there is none.
func ShownField(name string) string {
	switch {
	case name == "run":
		return shortRun
	case lineRunes[name] > 0:
		return name + " in lines"
	}
	return ""
}

// shortRun is the field with the beginnings of the ids of runs.
const shortRun = "run in short"

// appendShown appends the fields that tables show in place of others. Explore does not show them.
func appendShown(f *data.Frame) {
	for _, of := range f.Fields[:len(f.Fields):len(f.Fields)] {
		name := ShownField(of.Name)
		if name == "" {
			continue
		}
		texts := make([]string, of.Len())
		for i := range texts {
			texts[i] = of.At(i).(string)
		}
		if name == shortRun {
			texts = shortened(texts)
		} else {
			for i, text := range texts {
				texts[i] = broken(text, lineRunes[of.Name], longestShown(of.Name))
			}
		}
		shown := data.NewField(name, nil, texts)
		shown.Config = &data.FieldConfig{Description: of.Config.Description, Custom: hiddenInTables()}
		f.Fields = append(f.Fields, shown)
	}
}

// shortID is how many characters of an id are shown, as the command line shows and takes them.
const shortID = 8

// shortened returns of each id the beginning that no other one has.
func shortened(ids []string) []string {
	out, last := slices.Clone(ids), slices.Compact(slices.Sorted(slices.Values(ids)))
	for i, id := range ids {
		at, _ := slices.BinarySearch(last, id)
		n := shortID
		for _, near := range []int{at - 1, at + 1} {
			if near >= 0 && near < len(last) {
				n = max(n, common(id, last[near])+1)
			}
		}
		out[i] = id[:min(n, len(id))]
	}
	return out
}

// common returns how many bytes two texts have in common from their beginning.
func common(a, b string) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// enoughRunes is how many characters stand in a line that ends at a separator.
const enoughRunes = 7

// A table shows so many lines of a name, and so many small letters of a sentence: a longer text, which an agent can choose, would push the
// other rows out of sight. Links and Explore have all of it.
const (
	mostLines    = 6
	mostSentence = 240
)

// sentences are the fields that have sentences, and not names.
var sentences = []string{"reason", "what happened", "what"}

// longestShown returns how many small letters of a field are shown.
func longestShown(name string) int {
	if slices.Contains(sentences, name) {
		return mostSentence
	}
	return mostLines * lineRunes[name]
}

// weight is the width of a character in tenths of that of a small letter.
func weight(r rune) int {
	switch {
	case strings.ContainsRune("mwMW@%", r), r >= 0x1100:
		return 20
	case unicode.IsUpper(r):
		return 14
	case unicode.IsDigit(r):
		return 12
	}
	return 10
}

// broken returns the first small letters of a text with a line break in each word that is longer than a line: after a separator if there is
// one.
func broken(s string, line, longest int) string {
	var out strings.Builder
	word, width := []rune{}, 0 // what has been read since the last place where Grafana breaks
	all := 0
	for _, r := range s {
		if all += weight(r); all > 10*longest {
			return out.String() + string(word) + "…"
		}
		if width += weight(r); width > 10*line && len(word) > 0 {
			at := len(word)
			for i := at; i > enoughRunes; i-- {
				if strings.ContainsRune("/:_.@,;=?&|", word[i-1]) {
					at = i
					break
				}
			}
			out.WriteString(string(word[:at]) + "\n")
			word, width = append([]rune{}, word[at:]...), weight(r)
			for _, left := range word {
				width += weight(left)
			}
		}
		word = append(word, r)
		if r == ' ' || r == '-' {
			out.WriteString(string(word))
			word, width = word[:0], 0
		}
	}
	return out.String() + string(word)
}
