package report

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// commandName begins every command that a text names.
const commandName = "flyball "

// fold breaks each line of a text that is wider than a screen, at spaces. What goes on is indented below the text after the label or
// mark that the line begins with. Nothing is broken that somebody may paste: a word or a command that is wider stays on one line.
func fold(text string, width int) string {
	if width <= 0 || text == "" {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if runewidth.StringWidth(line) > width {
			lines[i] = foldLine(line, width)
		}
	}
	return strings.Join(lines, "\n")
}

func foldLine(line string, width int) string {
	start := textStart(line, width)
	return foldAfter(line[:start], line[start:], width)
}

// foldAfter returns a text after a beginning of its line, broken into lines below each other.
func foldAfter(begin, text string, width int) string {
	indent := runewidth.StringWidth(begin)
	used := indent
	if indent > width/2 {
		indent = leadOf(begin) + gap
	}
	var b strings.Builder
	b.WriteString(begin)
	for i, part := range parts(text) {
		n := runewidth.StringWidth(part)
		switch {
		case i == 0:
		case used+1+n > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			used = indent
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(part)
		used += n
	}
	return b.String()
}

// leadOf returns how many spaces a line begins with.
func leadOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// textStart returns where the text of a line begins: after its spaces, and after a mark ("- ", "· ") or the columns in the left half of a
// screen, which have two spaces or more behind them.
func textStart(line string, width int) int {
	at := leadOf(line)
	for _, mark := range []string{"- ", "· ", "→ "} {
		if strings.HasPrefix(line[at:], mark) {
			return at + len(mark)
		}
	}
	for {
		i := strings.Index(line[at:], "  ")
		if i <= 0 {
			return at
		}
		next := at + i + leadOf(line[at+i:])
		if next == len(line) || runewidth.StringWidth(line[:next]) > width/2 {
			return at
		}
		at = next
	}
}

// parts returns what a text may be broken into: its words. A number and the word after it, a command with its arguments, and a list in
// the flow style of YAML are one word.
func parts(text string) (out []string) {
	for text = strings.TrimLeft(text, " "); text != ""; text = strings.TrimLeft(text, " ") {
		n := strings.IndexByte(text, ' ')
		if n < 0 {
			n = len(text)
		}
		if c := commandAt(text); c > 0 {
			n = c
		} else if end := strings.Index(text, "}]"); end > 0 && strings.HasPrefix(text, "[{") {
			n = end + len("}]")
		} else if rest := text[n:]; isNumber(text[:n]) && len(rest) > 1 {
			next, _, _ := strings.Cut(rest[1:], " ")
			n += 1 + len(next)
		}
		out = append(out, text[:n])
		text = text[n:]
	}
	return out
}

// isNumber reports whether a word has nothing but the signs of a number.
func isNumber(word string) bool { return strings.Trim(word, "0123456789.,") == "" }

// afterCommand are what follows a command in a sentence.
var afterCommand = []string{": ", "; ", ", ", ". ", ") ", " (", " if ", " or ", " and ", " says ", " lists ", " shows ", " proposes ",
	" declares ", " tells ", " changes ", " looks "}

// commandAt returns the length of the command that a text begins with, which may stand in brackets; 0: it begins with none.
func commandAt(text string) int {
	bare := strings.TrimLeft(text, "(\"'`")
	if !strings.HasPrefix(bare, commandName) {
		return 0
	}
	end := len(bare)
	for _, after := range afterCommand {
		if i := strings.Index(bare, after); i > 0 {
			end = min(end, i+len(strings.TrimRight(after[:1], " ")))
		}
	}
	return len(text) - len(bare) + end
}
