package clickhouse

import "strings"

// lexer splits SQL into tokens, to find statements, their FORMAT clause and their data. It does not check the SQL; the engine does.
type lexer struct {
	s     string
	pos   int
	depth int
}

type tokenKind int

const (
	tokEnd    tokenKind = iota
	tokWord             // bare word, a keyword or a name
	tokQuoted           // 'text', "name" or `name`
	tokOther            // one character
)

type token struct {
	kind       tokenKind
	text       string // as written
	start, end int
	depth      int // number of brackets around it
}

func (t token) is(word string) bool { return t.kind == tokWord && strings.EqualFold(t.text, word) }

// next returns the token after white space and comments. A quote or comment that is not closed extends to the end of the text.
func (l *lexer) next() token {
	l.skip()
	if l.pos >= len(l.s) {
		return token{kind: tokEnd, start: len(l.s), end: len(l.s), depth: l.depth}
	}
	start := l.pos
	c := l.s[start]
	switch {
	case c == '\'' || c == '"' || c == '`':
		l.quoted(c)
		return token{tokQuoted, l.s[start:l.pos], start, l.pos, l.depth}
	case isWordByte(c):
		for l.pos < len(l.s) && isWordByte(l.s[l.pos]) {
			l.pos++
		}
		return token{tokWord, l.s[start:l.pos], start, l.pos, l.depth}
	}
	l.pos++
	depth := l.depth
	switch c {
	case '(', '[', '{':
		l.depth++
	case ')', ']', '}':
		l.depth--
		depth = l.depth
	}
	return token{tokOther, l.s[start:l.pos], start, l.pos, depth}
}

func (l *lexer) skip() {
	for l.pos < len(l.s) {
		rest := l.s[l.pos:]
		switch {
		case isSpace(rest[0]):
			l.pos++
		case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "# "), strings.HasPrefix(rest, "#!"):
			l.past(rest, "\n")
		case strings.HasPrefix(rest, "/*"):
			l.pos += 2
			l.past(l.s[l.pos:], "*/")
		default:
			return
		}
	}
}

func (l *lexer) past(rest, end string) {
	if i := strings.Index(rest, end); i >= 0 {
		l.pos += i + len(end)
		return
	}
	l.pos = len(l.s)
}

// quoted skips a quoted text. Both \' and ” are an escaped quote.
func (l *lexer) quoted(q byte) {
	for l.pos++; l.pos < len(l.s); l.pos++ {
		switch l.s[l.pos] {
		case '\\':
			l.pos++
		case q:
			if l.pos+1 < len(l.s) && l.s[l.pos+1] == q {
				l.pos++
				continue
			}
			l.pos++
			return
		}
	}
	l.pos = min(l.pos, len(l.s))
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isWordByte(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
