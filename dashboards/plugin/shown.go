package plugin

import (
	"regexp"
	"strconv"

	"flyball/schema"
)

// escape is what schema.Visible writes for a character that does not print.
var escape = regexp.MustCompile(`\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[abfnrtv])`)

// unescaped returns the text that schema.Visible shows as shown; shown itself if there is none. Links of tables and choices of variables
// have names as they are shown.
func unescaped(shown string) string {
	text := escape.ReplaceAllStringFunc(shown, func(e string) string {
		if r, isRune, _, err := strconv.UnquoteChar(e, 0); err == nil && (isRune || r < 0x80) {
			return string(r)
		} else if err == nil {
			return string([]byte{byte(r)})
		}
		return e
	})
	if schema.Visible(text) != shown {
		return shown
	}
	return text
}

// takeShown replaces the names of the query by those that are shown so. It reports whether there are any.
func (q *Query) takeShown() (changed bool) {
	for _, name := range []*string{&q.Agent, &q.Run, &q.Resource, &q.Family} {
		if text := unescaped(*name); text != *name {
			*name, changed = text, true
		}
	}
	return changed
}
