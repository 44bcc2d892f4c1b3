package stitch

import (
	"iter"
	"slices"

	"github.com/cespare/xxhash/v2"

	"flyball/schema"
)

// runIndex finds the runs of an actor by their keys. Most actors have one run or a few: these are
// searched one by one, which saves the memory of a map with one entry.
type runIndex struct {
	few  []*slot             // in the order in which they were inserted; unused when many is not nil
	many map[uint64]runChain // by the hash of the key: several for a session or conversation, else one
}

// runChain is a list of runs in the order in which they were inserted, linked by slot.next.
type runChain struct{ first, last *slot }

// fewRuns is the maximum number of runs that are searched one by one.
const fewRuns = 8

// hash returns a number that equal keys have in common.
func (k *bindKey) hash() uint64 {
	var raw schema.TextBuffer
	text := append(raw[:0], byte(k.Rule))
	text = append(append(text, k.Credential...), 0)
	text = append(append(text, k.Key...), 0)
	return xxhash.Sum64(append(append(text, k.Principal...), 0))
}

func (x *runIndex) insert(s *slot) {
	if x.many == nil && len(x.few) < fewRuns {
		few := make([]*slot, len(x.few)+1) // not append: it would allocate more than is needed
		copy(few, x.few)
		few[len(x.few)] = s
		x.few = few
		return
	}
	if x.many == nil {
		x.many = make(map[uint64]runChain, 2*fewRuns)
		for _, s := range x.few {
			x.link(s)
		}
		x.few = nil
	}
	x.link(s)
}

func (x *runIndex) link(s *slot) {
	chain := x.many[s.hash]
	s.next = nil
	if chain.first == nil {
		chain.first = s
	} else {
		chain.last.next = s
	}
	chain.last = s
	x.many[s.hash] = chain
}

func (x *runIndex) remove(s *slot) {
	if x.many == nil {
		x.few = slices.DeleteFunc(x.few, func(other *slot) bool { return other == s })
		return
	}
	chain := x.many[s.hash]
	var before *slot
	for other := chain.first; other != nil && other != s; other = other.next {
		before = other
	}
	if before == nil {
		chain.first = s.next
	} else {
		before.next = s.next
	}
	if chain.last == s {
		chain.last = before
	}
	s.next = nil
	if chain.first != nil {
		x.many[s.hash] = chain
		return
	}
	delete(x.many, s.hash)
	if len(x.many) == 0 {
		x.many = nil // the memory of a map does not shrink
	}
}

// first returns the first run of a key; nil: there is none.
func (x *runIndex) first(k bindKey) *Run {
	for r := range x.of(k) {
		return r
	}
	return nil
}

// of returns the runs of a key, in the order in which they were inserted.
func (x *runIndex) of(k bindKey) iter.Seq[*Run] {
	return func(yield func(*Run) bool) {
		h := k.hash()
		if x.many != nil {
			for s := x.many[h].first; s != nil; s = s.next {
				if r := s.live(); r.bind == k && !yield(r) {
					return
				}
			}
			return
		}
		for _, s := range x.few {
			if s.hash != h {
				continue
			}
			if r := s.live(); r.bind == k && !yield(r) {
				return
			}
		}
	}
}

// slots passes the slots of all runs to yield, until it returns false.
func (x *runIndex) slots(yield func(*slot) bool) {
	for _, s := range x.few {
		if !yield(s) {
			return
		}
	}
	for _, chain := range x.many {
		for s := chain.first; s != nil; s = s.next {
			if !yield(s) {
				return
			}
		}
	}
}

// all passes all runs to yield, until it returns false. Packed runs are decoded and stay so.
func (x *runIndex) all(yield func(*Run) bool) {
	for s := range x.slots {
		if !yield(s.live()) {
			return
		}
	}
}
