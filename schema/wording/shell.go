package wording

import (
	"fmt"
	"strings"

	"flyball/schema"
)

// safeInShell are the characters that no shell reads in a special way.
const safeInShell = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+="

// ShellWord returns a text in a form that is safe to paste into a shell. Clients can choose it. Control
// characters are printed by printf in the shell, because a terminal acts on them while it pastes, and so is
// what a chat program would read as markup: the command can stand in its messages.
func ShellWord(s string) string {
	switch {
	case s != "" && strings.Trim(s, safeInShell) == "":
		return s
	case schema.Chat(s) != s:
		return printed(s)
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// markup are the characters with which the markup of chat programs begins.
const markup = "<>`[]@"

// printed returns a command substitution with the bytes of s, all of them printable. The shell drops
// line breaks at its end, so bash's and zsh's $'…' stands for a text that ends with one.
func printed(s string) string {
	quote, percent, octal := `'\''`, "%%", `\%03o`
	if strings.HasSuffix(s, "\n") {
		quote, percent = `\'`, "%"
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\'':
			b.WriteString(quote)
		case c == '%':
			b.WriteString(percent)
		case c == '\\':
			b.WriteString(`\\`)
		case c < ' ' || c >= 0x7f || strings.IndexByte(markup, c) >= 0:
			fmt.Fprintf(&b, octal, c)
		default:
			b.WriteByte(c)
		}
	}
	if strings.HasSuffix(s, "\n") {
		return "$'" + b.String() + "'"
	}
	return `"$(printf '` + b.String() + `')"`
}
