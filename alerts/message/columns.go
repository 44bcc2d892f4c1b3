package message

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// columns is the width of text, and label that of the names at its left.
const (
	columns = 80
	label   = 11
)

// Text returns the message in 80 columns, with the title in the first lines. Commands are broken where a shell continues a line.
func (m *Message) Text() string {
	var b strings.Builder
	hang(&b, "", m.Headline())
	b.WriteByte('\n')
	for i, f := range m.Why {
		name := ""
		if i == 0 {
			name = "Why"
		}
		hang(&b, name, f.Line())
	}
	for _, f := range m.Facts {
		hang(&b, f.Name, f.Text)
	}
	if len(m.Next) > 0 {
		b.WriteString("\nNext\n")
	}
	for _, s := range m.Next {
		b.WriteString("  " + s.Say + ":\n")
		for _, line := range continued(s.Command) {
			b.WriteString("    " + line + "\n")
		}
	}
	for _, l := range m.Links {
		b.WriteString("  " + l.Say + " (works once):\n    " + l.URL + "\n")
	}
	return b.String()
}

// hang writes a text behind a name, with the further lines below its beginning.
func hang(b *strings.Builder, name, text string) {
	indent := 0
	if name != "" || strings.HasSuffix(b.String(), "\n") && b.Len() > 0 {
		indent = label
	}
	for i, line := range wrap(text, columns-indent) {
		if i == 0 && name != "" {
			b.WriteString(name + strings.Repeat(" ", label-len(name)))
		} else {
			b.WriteString(strings.Repeat(" ", indent))
		}
		b.WriteString(line + "\n")
	}
}

// wrap breaks a text at spaces into lines of a width, and longer words anywhere.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		switch {
		case line == "":
			line = word
		case runewidth.StringWidth(line)+1+runewidth.StringWidth(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
		for runewidth.StringWidth(line) > width {
			head := runewidth.Truncate(line, width, "")
			lines, line = append(lines, head), line[len(head):]
		}
	}
	return append(lines, line)
}

// continued breaks a command before its flags, so that it fits and can still be pasted.
func continued(command string) []string {
	const indent, more = 4, ` \`
	var lines []string
	line := ""
	for _, part := range beforeFlags(command) {
		switch {
		case line == "":
			line = part
		case indent+runewidth.StringWidth(line)+1+runewidth.StringWidth(part)+len(more) <= columns:
			line += " " + part
		default:
			lines, line = append(lines, line+more), "  "+part
		}
	}
	return append(lines, line)
}

// beforeFlags divides a command at the blanks before its flags. A blank in quotes is part of a word.
func beforeFlags(command string) []string {
	var parts []string
	begin, quoted, escapes := 0, false, false // escapes: the quotes are $'…'
	for i := 0; i < len(command); i++ {
		switch c := command[i]; {
		case c == '\\' && (!quoted || escapes):
			i++
		case c == '\'' && quoted:
			quoted = false
		case c == '\'':
			quoted, escapes = true, i > 0 && command[i-1] == '$'
		case !quoted && strings.HasPrefix(command[i:], " --"):
			parts, begin = append(parts, command[begin:i]), i+1
		}
	}
	return append(parts, command[begin:])
}
