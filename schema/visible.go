package schema

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible returns a text that can be shown safely to a person: each control character, line
// break, character without width or with an effect on the direction of writing, and each byte
// that is not UTF-8 is replaced by a visible escape (\n, \x1b, \u202e). Agents choose many of
// the texts in a log. Markup of the place where it is shown (HTML, CSV) is escaped there.
func Visible(s string) string {
	if printable(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case unicode.IsPrint(r) && !filler(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[n:]
	}
	return b.String()
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || filler(r) }) < 0
}

// filler reports whether a character is printable by its class, and shows nothing.
func filler(r rune) bool {
	switch r {
	case 0x115f, 0x1160, 0x3164, 0xffa0, 0x2800, 0x034f, 0x17b4, 0x17b5:
		return true
	}
	return r >= 0xfe00 && r <= 0xfe0f || r >= 0xe0100 && r <= 0xe01ef || r >= 0x180b && r <= 0x180f // variation selectors
}

// chatMarkup replaces what chat programs read as a link, a mention of everybody or a code block. Slack and PagerDuty read <…>, Mattermost,
// Discord and Teams [text](address) and @everyone.
var chatMarkup = strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "](", `]\u0028`, "`", `\u0060`, "@everyone", `\u0040everyone`,
	"@here", `\u0040here`, "@channel", `\u0040channel`, "@all", `\u0040all`)

// Chat returns a text that can be put into a message of a chat program: Visible, and without markup that an agent could choose.
func Chat(s string) string { return chatMarkup.Replace(Visible(s)) }

// VisibleJSON returns JSON text with the same meaning, in which every character that Visible replaces is written as \uXXXX. Line breaks
// between values stay.
func VisibleJSON(text []byte) []byte {
	if printable(strings.ReplaceAll(string(text), "\n", "")) {
		return text
	}
	out := make([]byte, 0, len(text)+64)
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '\n' || r == ' ' || unicode.IsPrint(r) && !filler(r) && (r != utf8.RuneError || n > 1):
			out = append(out, text[:n]...)
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+(r>>10), 0xdc00+(r&0x3ff))
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		text = text[n:]
	}
	return out
}
