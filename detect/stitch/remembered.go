package stitch

import (
	"cmp"
	"slices"

	"flyball/schema"
)

// Remembered is an Attachment of an actor that is needed after the actor's runs are gone.
type Remembered interface {
	// NeededUntil returns the event time up to which the state is needed, in Unix ns; 0: as long as the actor has runs.
	NeededUntil() int64
}

// remembers reports whether an actor without runs is kept at a watermark for what a later stage attached to it.
func (a *Actor) remembers(watermark int64) bool {
	r, ok := a.Attached.(Remembered)
	return ok && watermark < r.NeededUntil()
}

// dropExpired removes what is attached to an actor without runs and no longer needed. Forget does the same at a checkpoint, whose
// time is not in the log: the next call must find the same state whether or not there was one.
func (a *Actor) dropExpired(watermark int64) {
	if a.Empty() && a.Attached != nil && !a.remembers(watermark) {
		a.Attached = nil
	}
}

// idleActors are the actors without runs, by standing, the one that lost its last run first at the front. At the limit of a pool
// they give their places to new actors. Entries of actors that have runs again are skipped when they are met.
type idleActors struct {
	byStanding [schema.StandingEstablished + 1][]idleActor
	unsorted   [schema.StandingEstablished + 1]bool // restored actors were appended
	counters   *counters
	dirty      *dirtyActors
}

// idleActor is an actor as it was when it lost its last run.
type idleActor struct {
	actor *Actor
	since int64  // the offset at which it lost its last run
	woken uint64 // Actor.woken then
}

func (e idleActor) idle() bool {
	return e.actor.Empty() && !e.actor.released && !e.actor.forgotten && e.actor.woken == e.woken
}

// compare orders idle actors. Of those that lost their last runs at one offset, the key decides: the order is the same when they
// are restored.
func (e idleActor) compare(o idleActor) int {
	return cmp.Or(cmp.Compare(e.since, o.since), cmp.Compare(e.actor.Key, o.actor.Key))
}

// add adds an actor if it has no runs.
func (n *idleActors) add(a *Actor) {
	if !a.Empty() || a.shared() {
		return
	}
	list := n.sorted(a.standing)
	if len(*list) > 64 && len(*list) > 2*n.counters.actorPools[a.standing] { // most have runs again
		*list = slices.DeleteFunc(*list, func(e idleActor) bool { return !e.idle() })
	}
	e := idleActor{a, a.Included, a.woken}
	at, _ := slices.BinarySearchFunc(*list, e, idleActor.compare)
	*list = slices.Insert(*list, at, e)
}

// adopt adds a restored actor if it has no runs. Actors are restored in any order, and sorted when the first of them is needed.
func (n *idleActors) adopt(a *Actor) {
	if !a.Empty() || a.shared() {
		return
	}
	n.byStanding[a.standing] = append(n.byStanding[a.standing], idleActor{a, a.Included, a.woken})
	n.unsorted[a.standing] = true
}

func (n *idleActors) sorted(s schema.Standing) *[]idleActor {
	list := &n.byStanding[s]
	if n.unsorted[s] {
		slices.SortFunc(*list, idleActor.compare)
		n.unsorted[s] = false
	}
	return list
}

// release takes the place of the actor that has been without runs for the longest, at an offset of flyball.calls, for a new one of
// the same standing, and reports whether there was one. The released actor is in memory without its state until Forget is called.
// A proven actor keeps its place.
func (n *idleActors) release(s schema.Standing, offset int64) bool {
	if s == schema.StandingProven {
		return false
	}
	for list := n.sorted(s); len(*list) > 0; {
		first := (*list)[0]
		(*list)[0] = idleActor{}
		if *list = (*list)[1:]; !first.idle() || first.actor.standing != s {
			continue
		}
		a := first.actor
		n.counters.countActor(a, -1)
		a.released, a.Attached, a.proofs, a.observers, a.checked = true, nil, nil, nil, false
		n.dirty.markApplied(a, offset)
		return true
	}
	return false
}
