package stitch

import (
	"iter"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// runIndex finds the runs of an actor by their keys. Most actors have one run or a few: these are
// searched one by one, which saves the memory of a map with one entry.
type runIndex struct {
	few  []*Run              // in the order in which they were inserted; unused when many is not nil
	many map[uint64]runChain // by the hash of the key: several for a session or conversation, else one
}

// runChain is a list of runs in the order in which they were inserted, linked by Run.next.
type runChain struct{ first, last *Run }

// fewRuns is the maximum number of runs that are searched one by one.
const fewRuns = 8

// hash returns a number that equal keys have in common.
func (k *bindKey) hash() uint64 {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.Write([]byte{byte(k.Rule)})
	for _, s := range [...]string{k.Credential, k.Key, k.Principal} {
		_, _ = d.WriteString(s)
		_, _ = d.Write([]byte{0})
	}
	return d.Sum64()
}

func (x *runIndex) insert(r *Run) {
	if x.many == nil && len(x.few) < fewRuns {
		few := make([]*Run, len(x.few)+1) // not append: it would allocate more than is needed
		copy(few, x.few)
		few[len(x.few)] = r
		x.few = few
		return
	}
	if x.many == nil {
		x.many = make(map[uint64]runChain, 2*fewRuns)
		for _, r := range x.few {
			x.link(r)
		}
		x.few = nil
	}
	x.link(r)
}

func (x *runIndex) link(r *Run) {
	h := r.bind.hash()
	chain := x.many[h]
	r.next = nil
	if chain.first == nil {
		chain.first = r
	} else {
		chain.last.next = r
	}
	chain.last = r
	x.many[h] = chain
}

func (x *runIndex) remove(r *Run) {
	if x.many == nil {
		x.few = slices.DeleteFunc(x.few, func(other *Run) bool { return other == r })
		return
	}
	h := r.bind.hash()
	chain := x.many[h]
	var before *Run
	for other := chain.first; other != nil && other != r; other = other.next {
		before = other
	}
	if before == nil {
		chain.first = r.next
	} else {
		before.next = r.next
	}
	if chain.last == r {
		chain.last = before
	}
	r.next = nil
	if chain.first != nil {
		x.many[h] = chain
		return
	}
	delete(x.many, h)
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
		if x.many != nil {
			for r := x.many[k.hash()].first; r != nil; r = r.next {
				if r.bind == k && !yield(r) {
					return
				}
			}
			return
		}
		for _, r := range x.few {
			if r.bind == k && !yield(r) {
				return
			}
		}
	}
}

// all passes all runs to yield, until it returns false.
func (x *runIndex) all(yield func(*Run) bool) {
	for _, r := range x.few {
		if !yield(r) {
			return
		}
	}
	for _, chain := range x.many {
		for r := chain.first; r != nil; r = r.next {
			if !yield(r) {
				return
			}
		}
	}
}
