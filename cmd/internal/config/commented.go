package config

import (
	"bytes"
	"regexp"
	"strings"
)

// commentColumns is the length after which a comment is continued in the next line.
const commentColumns = 100

// DumpCommented returns the effective configuration as Dump does, with what the reference says about each key above it. In lists only
// the first item has comments.
func DumpCommented(c Config) ([]byte, error) {
	text, err := Dump(c)
	if err != nil {
		return nil, err
	}
	return comment(text), nil
}

// keyLine is a line of a dump that begins with a key, at the beginning of an item of a list or not.
var keyLine = regexp.MustCompile(`^( *)(- )?([a-z0-9_]+):(?: |$)`)

// comment adds comments to a document in the form in which Dump writes it: each key in a line of its own.
func comment(text []byte) []byte {
	type section struct {
		indent int
		key    string // without places in lists
	}
	about := map[string]Key{}
	for _, k := range Reference() {
		about[strings.ReplaceAll(k.Key, "[]", "")] = k
	}
	var out bytes.Buffer
	var within []section
	for line := range strings.Lines(string(text)) {
		m := keyLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			out.WriteString(line)
			continue
		}
		indent := len(m[1]) + len(m[2])
		for len(within) > 0 && within[len(within)-1].indent >= indent {
			within = within[:len(within)-1]
		}
		key := m[3]
		if len(within) > 0 {
			key = within[len(within)-1].key + "." + key
		}
		within = append(within, section{indent, key})
		if k, ok := about[key]; ok {
			for _, l := range Wrap(k.comment(), commentColumns) {
				out.WriteString(m[1] + "# " + l + "\n")
			}
			delete(about, key)
		}
		out.WriteString(line)
	}
	return out.Bytes()
}

// comment returns what stands above a key.
func (k Key) comment() string {
	if k.Section {
		return k.Meaning
	}
	parts := []string{k.Form}
	if k.Refused != "" {
		parts = append(parts, "refused: "+k.Refused)
	}
	parts = append(parts, "default "+k.Default)
	if k.Environment != "" {
		parts = append(parts, k.Environment)
	}
	return k.Meaning + " (" + strings.Join(parts, "; ") + "; " + map[Again]string{AgainYes: "read again", AgainFile: "the file is read again",
		AgainNo: "needs a restart"}[k.Again] + ")"
}

// Wrap breaks a text into lines of at most a number of columns, at spaces.
func Wrap(text string, columns int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > columns {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimLeft(line+" "+word, " ")
	}
	return append(lines, line)
}
