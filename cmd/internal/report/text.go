package report

import (
	"fmt"
	"io"
	"reflect"
	"strings"

	"flyball/schema"
)

// Text returns a text that a terminal can show safely, as schema.Visible does.
func Text(s string) string { return schema.Visible(s) }

// TextLines escapes each line of a text as Text does.
func TextLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = Text(l)
	}
	return strings.Join(lines, "\n")
}

// Printf prints a format to a terminal. Each argument that is a text, a list of texts or an
// error is escaped as by Text. Lines that are wider than a screen are broken at spaces.
func Printf(w io.Writer, format string, args ...any) error {
	shown := make([]any, len(args))
	for i, a := range args {
		shown[i] = visible(a)
	}
	_, err := io.WriteString(w, fold(fmt.Sprintf(format, shown...), screenOf(w).Width))
	return err
}

// Quoted prints a text of others with a mark before it, also before each line that a screen breaks it into: no part of it can look like
// a line of the report.
func Quoted(w io.Writer, mark, text string) error {
	lines := []string{Text(text)}
	if width := screenOf(w).Width; width > 0 {
		lines = wrap(lines[0], max(width-len(mark), 1))
	}
	_, err := fmt.Fprintf(w, "%s%s\n", mark, strings.Join(lines, "\n"+mark))
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

// Dash returns a text, or "-" if it is empty.
func Dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
