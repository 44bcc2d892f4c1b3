package stitch

import (
	"iter"
	"slices"
)

// runIndex finds the runs of an actor by their keys. Most actors have one run or a few: these are
// searched one by one, which saves the 700 bytes of a map with one entry.
type runIndex struct {
	few  []*Run             // in the order in which they were inserted; unused when many is not nil
	many map[bindKey][]*Run // several for a session or conversation, else one
}

// fewRuns is the maximum number of runs that are searched one by one.
const fewRuns = 8

func (x *runIndex) insert(r *Run) {
	if x.many == nil && len(x.few) < fewRuns {
		few := make([]*Run, len(x.few)+1) // not append: it would allocate more than is needed
		copy(few, x.few)
		few[len(x.few)] = r
		x.few = few
		return
	}
	if x.many == nil {
		x.many = make(map[bindKey][]*Run, 2*fewRuns)
		for _, r := range x.few {
			x.many[r.bind] = append(x.many[r.bind], r)
		}
		x.few = nil
	}
	x.many[r.bind] = append(x.many[r.bind], r)
}

func (x *runIndex) remove(r *Run) {
	isRun := func(other *Run) bool { return other == r }
	if x.many == nil {
		x.few = slices.DeleteFunc(x.few, isRun)
		return
	}
	rest := slices.DeleteFunc(x.many[r.bind], isRun)
	if len(rest) > 0 {
		x.many[r.bind] = rest
		return
	}
	delete(x.many, r.bind)
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
			for _, r := range x.many[k] {
				if !yield(r) {
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
	for _, list := range x.many {
		for _, r := range list {
			if !yield(r) {
				return
			}
		}
	}
}
