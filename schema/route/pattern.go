package route

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"flyball/schema"
)

// Pattern matches calls by method and template, or by tool. A placeholder matches any text in
// its place; * matches one segment and ** all remaining segments.
type Pattern struct {
	text   string
	method string // empty: any
	segs   []string
	tool   string
}

var methodRule = regexp.MustCompile(`^([A-Z]+|\*)$`)

// ParsePattern reads "GET /v1/orders/{id}", "* /v1/**" or "tool:NAME".
func ParsePattern(text string) (Pattern, error) {
	p := Pattern{text: text}
	if tool, ok := strings.CutPrefix(text, "tool:"); ok {
		if tool == "" {
			return p, fmt.Errorf("%q: tool: needs a name", text)
		}
		p.tool = tool
		return p, nil
	}
	method, template, ok := strings.Cut(text, " ")
	if !ok || !methodRule.MatchString(method) || !strings.HasPrefix(template, "/") {
		return p, fmt.Errorf("%q: a method and a template as GET /v1/orders/{id}, * for any method, or tool:NAME", text)
	}
	if method != "*" {
		p.method = method
	}
	for seg := range strings.SplitSeq(strings.Trim(template, "/"), "/") {
		if seg != "*" && seg != "**" {
			seg = strings.Trim(Key(normalise("/"+seg)), "/")
		}
		p.segs = append(p.segs, seg)
	}
	if i := slices.Index(p.segs, "**"); i >= 0 && i != len(p.segs)-1 {
		return p, fmt.Errorf("%q: ** stands for the rest and comes last", text)
	}
	return p, nil
}

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Matches reports whether a call's route or tool matches the pattern. Where a learned or pinned
// route has a parameter, a word of the pattern is compared with the word of the path: a change of
// these routes does not change what patterns match.
func (p *Pattern) Matches(c *schema.Call) bool {
	if p.tool != "" {
		return c.ToolName == p.tool
	}
	if p.method != "" && p.method != c.Method {
		return false
	}
	rest := strings.Trim(c.RouteKey, "/")
	if len(p.segs) == 1 && p.segs[0] == "" {
		return rest == ""
	}
	var words []string
	done := rest == ""
	for i, want := range p.segs {
		if want == "**" {
			return true
		}
		if done {
			return false
		}
		seg, after, more := strings.Cut(rest, "/")
		if want != seg && want != "*" && want != "{}" {
			if !strings.Contains(seg, "{}") || c.RouteSource != schema.RouteOverflow {
				return false
			}
			if words == nil {
				words = wordsOfPath(c.Path)
			}
			if i >= len(words) || !fitsSegment(want, words[i]) {
				return false
			}
		}
		rest, done = after, !more
	}
	return done
}

// KeyOf returns what identifies a route by its name, "GET /orders/{id}" or "tool:NAME": the names of parameters make no
// difference. key has the form of schema.Call.RouteKey; a tool has no method, and its name is its key.
func KeyOf(name string) (method, key string) {
	method, template, ok := strings.Cut(name, " ")
	if !ok || strings.HasPrefix(name, "tool:") {
		return "", name
	}
	return method, Key(normalise(template))
}

// wordsOfPath returns the segments of the first reading of a path.
func wordsOfPath(path string) []string {
	if !plainPath(path) {
		list, _ := readPath(path)
		path = list[0].Path
	}
	return split(path, nil)
}

// fitsSegment reports whether a word of a path fits a segment of a pattern: the same word, or with a
// placeholder as a part of it (cus_{}).
func fitsSegment(want, word string) bool {
	if head, tail, ok := strings.Cut(want, "{}"); ok {
		return len(word) >= len(head)+len(tail) && strings.HasPrefix(word, head) && strings.HasSuffix(word, tail)
	}
	return want == word
}

// MatchesPath reports whether a method and a path match the pattern. A placeholder matches any
// one segment. Case and the ending of a format (.json) are ignored.
func (p *Pattern) MatchesPath(method, path string) bool {
	if p.tool != "" || p.method != "" && p.method != method {
		return false
	}
	if !plainPath(path) {
		list, _ := readPath(path)
		path = list[0].Path
	}
	var arena [16]string
	segs := split(path, arena[:0])
	return p.fits(segs) || p.fits(withoutFormat(segs))
}

func (p *Pattern) fits(segs []string) bool {
	if len(p.segs) == 1 && p.segs[0] == "" {
		return false
	}
	for i, want := range p.segs {
		switch {
		case want == "**" || want == "{}" && i == len(p.segs)-1 && strings.HasSuffix(p.text, "{*}"):
			return len(segs) > 0
		case i >= len(segs):
			return false
		case want == "*" || want == "{}":
		case strings.Contains(want, "{}"): // cus_{}: the placeholder is a part of a segment
			head, tail, _ := strings.Cut(want, "{}")
			if !strings.HasPrefix(segs[i], head) || !strings.HasSuffix(segs[i], tail) {
				return false
			}
		case !strings.EqualFold(want, segs[i]):
			return false
		}
	}
	return len(segs) == len(p.segs)
}

// MatchesAnyName reports whether the pattern matches the call's route by the name that it has, or that another order, other learned
// routes or no declaration would give it: the words of the pattern are then those of the path, and its placeholders match any word.
func (p *Pattern) MatchesAnyName(c *schema.Call) bool {
	if p.Matches(c) {
		return true
	}
	byPath := c.RouteSource == schema.RouteFromConfig || c.RouteSource == schema.RouteHeuristic || c.RouteSource == schema.RouteOverflow
	if p.tool != "" || c.ToolName != "" || !byPath || c.Path == "" || p.method != "" && p.method != c.Method {
		return false
	}
	words := wordsOfPath(c.Path)
	for i, want := range p.segs {
		switch {
		case want == "**":
			return i < len(words)
		case i >= len(words) || want != "*" && !fitsSegment(want, words[i]):
			return false
		}
	}
	return len(words) == len(p.segs)
}

// AnyMatches reports whether at least one of the patterns matches a call.
func AnyMatches(list []Pattern, c *schema.Call) bool {
	return slices.ContainsFunc(list, func(p Pattern) bool { return p.Matches(c) })
}
