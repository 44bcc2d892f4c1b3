package route

import (
	"cmp"
	"slices"
	"strings"

	"flyball/schema"
)

// Learned is a version of the positions in paths with so many different words that the words
// must be values. It is immutable. The next version contains all of it, so that a template
// does not change back.
type Learned struct {
	Version   string `json:"version"`
	Collapsed []Slot `json:"collapsed"`
}

// Slot is a template with one position that takes any value: GET /items/{slug}.
type Slot struct {
	Method   string `json:"method"`
	Template string `json:"template"`
}

// Seen is a template that the heuristic made, with its number of calls.
type Seen struct {
	Method, Route string
	Calls         uint64
}

const (
	// maxLiterals is the maximum number of different words at one position of a path; more are
	// treated as values.
	maxLiterals = 100
	// maxLearned is the maximum number of positions that a table can learn.
	maxLearned = 2000
	slug       = "{slug}"
)

// Collapse adds the positions with more than maxLiterals different words to those of the
// previous version. more reports whether there are new ones.
func Collapse(before Learned, seen []Seen) (after Learned, more bool) {
	type position struct {
		method, masked string
	}
	words := map[position]map[string]bool{}
	for _, s := range seen {
		segs := strings.Split(strings.Trim(s.Route, "/"), "/")
		beneath := false // the first word of a path names a collection and is never a value
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
	add := func(s Slot) {
		if !slices.Contains(after.Collapsed, s) {
			after.Collapsed = append(after.Collapsed, s)
			more = true
		}
	}
	for p, literals := range words {
		if len(literals) > maxLiterals {
			add(Slot{p.method, p.masked})
		}
	}
	for _, s := range sideBySide(seen) {
		add(s)
	}
	slices.SortFunc(after.Collapsed, func(a, b Slot) int {
		return cmp.Or(strings.Compare(a.Template, b.Template), strings.Compare(a.Method, b.Method))
	})
	after.Collapsed = after.Collapsed[:min(len(after.Collapsed), maxLearned)]
	return after, more
}

// maxSideBySide is the maximum number of positions side by side that are values: owner and name of a
// repository, or organisation, project and branch.
const maxSideBySide = 3

// sideBySide returns the templates with positions side by side that each have more than maxLiterals
// different words. One alone never has: each word occurs beside other ones.
func sideBySide(seen []Seen) (out []Slot) {
	type positions struct {
		method, masked string
	}
	words := map[positions]*[maxSideBySide]map[string]bool{}
	for _, s := range seen {
		segs := strings.Split(strings.Trim(s.Route, "/"), "/")
		for from := 1; from < len(segs); from++ { // the first word of a path names a collection
			for n := 2; n <= maxSideBySide && from+n <= len(segs); n++ {
				if !areWords(segs, from, n) {
					break
				}
				masked := slices.Clone(segs)
				for i := range n {
					masked[from+i] = slug
				}
				p := positions{s.Method, "/" + strings.Join(masked, "/")}
				if words[p] == nil {
					words[p] = &[maxSideBySide]map[string]bool{}
				}
				for i := range n {
					if words[p][i] == nil {
						words[p][i] = map[string]bool{}
					}
					if len(words[p][i]) <= maxLiterals {
						words[p][i][segs[from+i]] = true
					}
				}
			}
		}
	}
next:
	for p, literals := range words {
		for _, at := range literals {
			if at != nil && len(at) <= maxLiterals {
				continue next
			}
		}
		out = append(out, Slot{p.method, p.masked})
	}
	return out
}

// areWords reports whether n segments are words behind a collection's name.
func areWords(segs []string, from, n int) bool {
	collection := false
	for i := range from {
		collection = collection || !isVersion(segs[i]) && segs[i] != "api" && segs[i] != "rest" && !strings.HasPrefix(segs[i], "{")
	}
	for _, seg := range segs[from : from+n] {
		if seg == "" || strings.HasPrefix(seg, "{") || isVersion(seg) {
			return false
		}
	}
	return collection
}

// Rules returns the rules of a learned version. They must come after the operator's rules in a
// table.
func (l Learned) Rules() []Rule {
	var out []Rule
	for _, s := range l.Collapsed {
		out = append(out, Rule{Method: s.Method, Template: s.Template, Source: schema.ProvenancePath, learned: true})
	}
	return out
}
