package route

import (
	"cmp"
	"maps"
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
	// Evidence is why a template was learned, by Slot.String. Templates that an earlier release learned have none.
	Evidence map[string]Evidence `json:"evidence,omitempty"`
}

// Slot is a template with positions that take any value: GET /items/{slug}.
type Slot struct {
	Method   string `json:"method"`
	Template string `json:"template"`
}

// String returns the slot as people write it: "GET /items/{slug}".
func (s Slot) String() string { return s.Method + " " + s.Template }

// Evidence is what was seen when a template was learned.
type Evidence struct {
	// Words is the number of different words at each position that became a parameter, from the left. They are
	// counted up to MaxWords: that number means "at least".
	Words []int  `json:"words"`
	Calls uint64 `json:"calls"` // of the templates with these words
	At    int64  `json:"at_ns"` // when the template was learned, Unix ns; 0: not set yet
}

// MaxWords is up to where Evidence.Words counts.
const MaxWords = maxLiterals + 1

// IsFull reports whether no more templates can be learned.
func (l Learned) IsFull() bool { return len(l.Collapsed) >= maxLearned }

// Date sets the time of the evidence that has none.
func (l *Learned) Date(at int64) {
	for slot, e := range l.Evidence {
		if e.At == 0 {
			e.At = at
			l.Evidence[slot] = e
		}
	}
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
// previous version. more reports whether there are new ones. A full table keeps what it has. A template that ParseSlot does
// not read is not learned, since nobody could undo it.
func Collapse(before Learned, seen []Seen) (after Learned, more bool) {
	found := valuesOf(seen)
	after.Collapsed, after.Evidence = slices.Clone(before.Collapsed), maps.Clone(before.Evidence)
	var beside templates
	for _, s := range before.Collapsed {
		beside = append(beside, shaped(s))
	}
	for _, s := range slices.SortedFunc(maps.Keys(found), bySlot) {
		if after.IsFull() {
			break
		}
		if slices.Contains(before.Collapsed, s) || !beside.learn(s) {
			continue
		}
		if after.Evidence == nil {
			after.Evidence = map[string]Evidence{}
		}
		after.Collapsed, after.Evidence[s.String()], more = append(after.Collapsed, s), found[s], true
	}
	slices.SortFunc(after.Collapsed, bySlot)
	return after, more
}

func bySlot(a, b Slot) int {
	return cmp.Or(strings.Compare(a.Template, b.Template), strings.Compare(a.Method, b.Method))
}

// isGeneral reports whether a segment says nothing about a collection: a version, api, rest.
func isGeneral(seg string) bool { return isVersion(seg) || seg == "api" || seg == "rest" }

// areWords reports whether n segments are words behind a collection's name.
func areWords(segs []string, from, n int) bool {
	collection := false
	for i := range from {
		collection = collection || !isGeneral(segs[i]) && !strings.HasPrefix(segs[i], "{")
	}
	for _, seg := range segs[from : from+n] {
		if seg == "" || strings.HasPrefix(seg, "{") || isVersion(seg) {
			return false
		}
	}
	return collection
}

// Rules returns the rules of a learned version. A table uses them only where no rule of the
// operator and no order applies.
func (l Learned) Rules() []Rule {
	var out []Rule
	for _, s := range l.Collapsed {
		out = append(out, Rule{Method: s.Method, Template: s.Template, Source: schema.ProvenancePath, from: fromLearning})
	}
	return out
}
