package report

import (
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns a text that a terminal can show safely: each control character, line break,
// character without width or with an effect on the direction of writing, and each byte that is
// not UTF-8 is replaced by a visible escape (\n, \x1b, \u202e). Agents choose many of the
// texts in a log.
func Text(s string) string {
	if printable(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[n:]
	}
	return b.String()
}

// TextLines escapes each line of a text as Text does.
func TextLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = Text(l)
	}
	return strings.Join(lines, "\n")
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// Printf prints a format to a terminal. Each argument that is a text, a list of texts or an
// error is escaped as by Text.
func Printf(w io.Writer, format string, args ...any) error {
	shown := make([]any, len(args))
	for i, a := range args {
		shown[i] = visible(a)
	}
	_, err := fmt.Fprintf(w, format, shown...)
	return err
}

// visible returns a value with all texts escaped as by Text.
func visible(v any) any {
	switch v := v.(type) {
	case string:
		return Text(v)
	case error:
		return Text(v.Error())
	case fmt.Stringer:
		return Text(v.String())
	case []string:
		out := make([]string, len(v))
		for i, s := range v {
			out[i] = Text(s)
		}
		return out
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.String {
		return Text(r.String())
	}
	return v
}
