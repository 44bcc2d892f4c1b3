package plugin

import (
	"slices"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// inLines are the names of fields whose texts agents and APIs choose. Grafana breaks a text at spaces and hyphens only and hides what is
// left of a longer word, so that two agents can look the same. A table has each of these fields a second time, in lines that fit a narrow
// column, for dashboards to show; links and actions read the text itself.
var inLines = []string{"agent", "scope", "resource", "route", "call", "reason", "what happened", "what", "owner", "manifest"}

// InLines returns the name of the field that has a field's text in lines; empty: there is none.
func InLines(name string) string {
	if slices.Contains(inLines, name) {
		return name + " in lines"
	}
	return ""
}

// appendLines appends the fields with texts in lines. Explore does not show them.
func appendLines(f *data.Frame) {
	for _, of := range f.Fields[:len(f.Fields):len(f.Fields)] {
		name := InLines(of.Name)
		if name == "" {
			continue
		}
		lines := data.NewField(name, nil, make([]string, of.Len()))
		lines.Config = &data.FieldConfig{Description: of.Config.Description, Custom: hiddenInTables()}
		for i := range of.Len() {
			lines.Set(i, broken(of.At(i).(string)))
		}
		f.Fields = append(f.Fields, lines)
	}
}

const (
	// lineRunes is how many characters of a word fit into the narrowest column.
	lineRunes = 20
	// enoughRunes is how many stand in a line that ends at a separator.
	enoughRunes = 7
)

// broken returns a text with a line break in each word that is longer than a line: after a separator if there is one.
func broken(s string) string {
	var out strings.Builder
	word := []rune{} // what has been read since the last place where Grafana breaks
	for _, r := range s {
		if len(word) == lineRunes {
			at := lineRunes
			for i := lineRunes; i > enoughRunes; i-- {
				if strings.ContainsRune("/:_.@,;=?&|", word[i-1]) {
					at = i
					break
				}
			}
			out.WriteString(string(word[:at]) + "\n")
			word = append([]rune{}, word[at:]...)
		}
		word = append(word, r)
		if r == ' ' || r == '-' {
			out.WriteString(string(word))
			word = word[:0]
		}
	}
	return out.String() + string(word)
}
