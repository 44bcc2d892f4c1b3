package mapping

import (
	"strings"

	"flyball/ingest/fields"
	"flyball/schema"
)

// Program is a compiled mapping. It is immutable and safe for concurrent use.
type Program struct {
	Name     string // the name in a topic's format setting
	Format   string // the format of its calls: NAME/1
	Title    string
	Observer schema.ObserverKind

	root        node
	slots       []slot
	assignments []assignment
	pattern     *pattern
	groups      []string // of pattern, in the canonical form of names
	logfmt      int      // index of the group that is logfmt; -1: none
	prefixes    []string // of members that are request headers
	unwrap      []int    // slots
	when        []test
	ignore      []test
	known       bool // members that the mapping does not name go to Sink.Known
	rest        bool // what nothing else reads is kept as an attribute
	shapes      [][]sign
}

// slot is a path from which a rule, a condition or unwrap reads.
type slot struct {
	path     string
	asserted bool
}

// assignment is a compiled line of set: the rules for a field, in the order in which they are tried.
type assignment struct {
	field Field
	rules []rule
}

// rule is a compiled source of a field.
type rule struct {
	from     []int
	template []part
	constant string
	list     string
	secret   bool // the value is a secret; the field stores its hash
	funcs    []textFunc
	with     With
	asserted With // the same for values that the caller claims
}

// part is a part of a template: a text or the value of a slot.
type part struct {
	text string
	slot int // -1: text
}

// test is a compiled condition.
type test struct {
	slot   int
	in     []string
	notIn  []string
	prefix string
}

// sign is a sign of a format: a member, optionally with a value.
type sign struct {
	key, is, prefix string
}

// Recognises reports whether an object has the shape of this format.
func (p *Program) Recognises(pairs []fields.Pair) bool {
next:
	for _, shape := range p.shapes {
		for _, g := range shape {
			v := fields.Get(pairs, g.key)
			if v.Kind == 0 || g.is != "" && v.Text() != g.is || g.prefix != "" && !strings.HasPrefix(v.Text(), g.prefix) {
				continue next
			}
		}
		return true
	}
	return false
}

// HasShape reports whether the mapping defines how its records are recognised.
func (p *Program) HasShape() bool { return len(p.shapes) > 0 }

// Names returns how many members of an object the mapping names.
func (p *Program) Names(pairs []fields.Pair) int {
	n := 0
	for i := range pairs {
		if _, ok := p.root.kids[pairs[i].Key]; ok {
			n++
		}
	}
	return n
}

// IsText reports whether the mapping reads lines of text.
func (p *Program) IsText() bool { return p.pattern != nil }
