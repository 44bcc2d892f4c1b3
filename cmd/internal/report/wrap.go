package report

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// cut returns a text that is at most so wide; what is missing is marked by "…".
func cut(text string, width int) string {
	if runewidth.StringWidth(text) <= width {
		return text
	}
	return runewidth.Truncate(text, width, "…")
}

// wrap breaks a text into lines of at most a width, at spaces where there are some.
func wrap(text string, width int) (lines []string) {
	rest := text
	for runewidth.StringWidth(rest) > width {
		head := runewidth.Truncate(rest, width, "")
		if head == "" {
			break // a character is wider than the line
		}
		if i := strings.LastIndexByte(head, ' '); i > 0 && !strings.HasPrefix(rest[len(head):], " ") {
			head = head[:i]
		}
		lines = append(lines, head)
		rest = strings.TrimLeft(rest[len(head):], " ")
	}
	if rest != "" || len(lines) == 0 {
		lines = append(lines, rest)
	}
	return lines
}
