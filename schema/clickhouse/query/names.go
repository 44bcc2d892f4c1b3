package query

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"unicode/utf8"
)

// Names selects names by conditions, all of which must hold. Without any, it selects every name.
type Names []NameCondition

// NameCondition is a condition on a name: one of a list, or an expression.
type NameCondition struct {
	Not     bool     // the name must not fit
	Any     []string // names, of which it must be one; nil: Pattern decides
	Pattern string   // expression of RE2 that must fit the whole name
}

// maxPattern is the maximum length of an expression in bytes; maxNamed is the maximum number of names in a list.
const (
	maxPattern = 500
	maxNamed   = 1000
)

// Check returns an error that says what is wrong with the conditions.
func (n Names) Check() error {
	for i := range n {
		c := &n[i]
		switch {
		case len(c.Any) > maxNamed:
			return fmt.Errorf("%d names are listed, at most %d", len(c.Any), maxNamed)
		case c.Any != nil:
		case len(c.Pattern) > maxPattern:
			return fmt.Errorf("the expression has %d bytes, at most %d", len(c.Pattern), maxPattern)
		case !utf8.ValidString(c.Pattern):
			return fmt.Errorf("the expression %q is not UTF-8", c.Pattern)
		default:
			if _, err := regexp.Compile(c.whole()); err != nil {
				return fmt.Errorf("%q is no regular expression of RE2: %w", c.Pattern, err)
			}
		}
	}
	return nil
}

func (c *NameCondition) whole() string { return "^(?s:" + c.Pattern + ")$" }

// Fit reports whether a name is selected. An expression that Check refuses fits nothing.
func (n Names) Fit(name string) bool {
	for i := range n {
		c := &n[i]
		fits := slices.Contains(c.Any, name)
		if c.Any == nil {
			e, err := regexp.Compile(c.whole())
			if err != nil {
				return false
			}
			fits = e.MatchString(name)
		}
		if fits == c.Not {
			return false
		}
	}
	return true
}

// positive returns the conditions that name what must fit.
func (n Names) positive() (out Names) {
	for _, c := range n {
		if !c.Not {
			out = append(out, c)
		}
	}
	return out
}

// into adds the conditions on a column. Their parameters begin with a name that no other condition of the statement has.
func (n Names) into(w *where, column, param string) {
	for i := range n {
		c, p := &n[i], fmt.Sprintf("%s_%d", param, i)
		condition, value := "match(toString("+column+"), {"+p+":String})", c.whole()
		if c.Any != nil {
			list, err := json.Marshal(c.Any)
			if err != nil {
				panic(err) // of texts
			}
			condition, value = "has(JSONExtract({"+p+":String}, 'Array(String)'), toString("+column+"))", string(list)
		}
		if c.Not {
			condition = "NOT " + condition
		}
		w.add(condition, named(p, value))
	}
}

// asked returns what is asked about for a cursor.
func (n Names) asked(name string) []string {
	if len(n) == 0 {
		return nil
	}
	return []string{name, fmt.Sprintf("%#v", n)}
}

// levels selects words of levels; nil: any.
func levels(words []string) Names {
	if words == nil {
		return nil
	}
	return Names{{Any: words}}
}
