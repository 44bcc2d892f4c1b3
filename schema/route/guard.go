package route

import (
	"cmp"
	"slices"
	"strings"

	"flyball/schema"
)

// Learned is a version of what the guard of cardinality has found: positions in
// paths at which so many words stand that they must be values. It is
// immutable; the next version holds all of it and more, so that a template does
// not flap.
type Learned struct {
	Version   string `json:"version"`
	Collapsed []Slot `json:"collapsed"`
}

// Slot is a template of which one position takes any value: GET /items/{slug}.
type Slot struct {
	Method   string `json:"method"`
	Template string `json:"template"`
}

// Seen is a template that the heuristic made, with its traffic.
type Seen struct {
	Method, Route string
	Calls         uint64
}

const (
	// maxLiterals is how many words may stand at one position of a path before
	// they are taken for values.
	maxLiterals = 100
	// maxLearned is how many positions a table may learn.
	maxLearned = 2000
	slug       = "{slug}"
)

// Collapse adds the positions at which more than MaxLiterals words were seen to
// those of the version before. It reports whether there are new ones.
func Collapse(before Learned, seen []Seen) (after Learned, more bool) {
	type position struct {
		method, masked string
	}
	words := map[position]map[string]bool{}
	for _, s := range seen {
		segs := strings.Split(strings.Trim(s.Route, "/"), "/")
		beneath := false // a collection: what stands first in a path is one, of whatever service
		for i, seg := range segs {
			if seg == "" || strings.HasPrefix(seg, "{") || isVersion(seg) || seg == "api" || seg == "rest" {
				continue
			}
			if !beneath {
				beneath = true
				continue
			}
			segs[i] = slug
			p := position{s.Method, "/" + strings.Join(segs, "/")}
			segs[i] = seg
			if words[p] == nil {
				words[p] = map[string]bool{}
			}
			if len(words[p]) <= maxLiterals {
				words[p][seg] = true
			}
		}
	}
	after.Collapsed = slices.Clone(before.Collapsed)
	for p, literals := range words {
		s := Slot{p.method, p.masked}
		if len(literals) > maxLiterals && !slices.Contains(after.Collapsed, s) {
			after.Collapsed = append(after.Collapsed, s)
			more = true
		}
	}
	slices.SortFunc(after.Collapsed, func(a, b Slot) int {
		return cmp.Or(strings.Compare(a.Template, b.Template), strings.Compare(a.Method, b.Method))
	})
	after.Collapsed = after.Collapsed[:min(len(after.Collapsed), maxLearned)]
	return after, more
}

// Rules of a learned version, to stand behind the operator's own.
func (l Learned) Rules() []Rule {
	var out []Rule
	for _, s := range l.Collapsed {
		out = append(out, Rule{Method: s.Method, Template: s.Template, Source: schema.ProvenancePath, learned: true})
	}
	return out
}
