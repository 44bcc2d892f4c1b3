package wording

import (
	"fmt"
	"strings"

	"flyball/schema"
)

// safeInShell are the characters that no shell reads in a special way.
const safeInShell = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+="

// ShellWord returns a text in a form that is safe to paste into a shell. Clients can choose it. A text
// with control characters is escaped as $'…' (bash, zsh), because a terminal acts on them while it pastes.
func ShellWord(s string) string {
	switch {
	case s != "" && strings.Trim(s, safeInShell) == "":
		return s
	case schema.Visible(s) != s:
		return ansiQuote(s)
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// ansiQuote returns $'…' with the same bytes as s, all of them printable.
func ansiQuote(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' || c == '\'':
			b.WriteString(`\` + string(c))
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return "$'" + b.String() + "'"
}
