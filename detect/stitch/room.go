package stitch

import (
	"time"

	"flyball/schema"
)

// At a limit of open runs, a new run takes the place of an idle one: that which silence would close next is closed before its time.
// It waits for late calls as any other closed run, and its next call opens it again with all its state. A run that is noticed (it
// has, or had, a trip, a finding or the level of an alert) is passed over: nothing is resolved and opened again by it.

// idleAfter is the silence, at the watermark, after which a run is idle. While a source holds the watermark, no further run is.
const idleAfter = int64(time.Minute)

// makeRoom makes room for an open run of an actor and a standing, at an offset of flyball.calls, and reports whether there is room.
// It closes at most one run, and none if the new run finds no room all the same: at its actor's limit an idle run of the actor, of
// no higher standing, and at that of the partition an idle run of the same standing. Established runs take the place of proven ones
// first: they share a limit.
func (p *Partition) makeRoom(a *Actor, s schema.Standing, offset int64) bool {
	full := !p.roomForRun(s)
	var out *slot
	switch {
	case a.open >= p.limits.runsPerActor(s):
		out = p.idlest(&a.idle)
		if out != nil && (out.pool > pool(s) || full && !out.pool.sharesLimit(s)) {
			return false
		}
	case full:
		if s == schema.StandingEstablished {
			out = p.idlest(&p.due[schema.StandingProven])
		}
		if out == nil {
			out = p.idlest(&p.due[s])
		}
	default:
		return true
	}
	if out == nil {
		return false
	}
	p.close(out.live(), offset)
	p.closedEarly++
	return true
}

// sharesLimit reports whether closing an open run of a pool gives its place to one of a standing.
func (q pool) sharesLimit(s schema.Standing) bool {
	return q == pool(s) || s == schema.StandingEstablished && q == pool(schema.StandingProven)
}

// idlest returns the run of a heap that is due first; nil: it is not idle, or there is none. Each run that it passes over leaves the
// heap or has had a call since it was passed over last.
func (p *Partition) idlest(h *slotHeap) *slot {
	for s := h.first(); s != nil; s = h.first() {
		switch {
		case p.updateDue(s):
		case s.noticed || s.run != nil && s.run.isNoticed():
			p.enqueueAgain(s)
		case p.watermark-(s.dueAt-int64(p.limits.gap(s.rule))) < idleAfter:
			return nil
		default:
			return s
		}
	}
	return nil
}

// enqueueAgain moves an open run that was noticed since it was enqueued.
func (p *Partition) enqueueAgain(s *slot) {
	p.dequeue(s)
	p.enqueue(s.live())
}

// reopen opens a closed run at a late call of a caller of a standing, at an offset of flyball.calls. At a limit it takes the place of
// an idle run. If there is none, a run of claimed callers stays closed, and reopen returns false; others are opened above the limit,
// by at most the closed runs that are kept.
func (p *Partition) reopen(r *Run, s schema.Standing, offset int64) bool {
	p.dequeue(r.slot)
	s = max(s, r.standing)
	if r.Rule != schema.RunOverflow && !p.makeRoom(r.actor, s, offset) && s == schema.StandingClaimed {
		p.enqueue(r)
		return false
	}
	r.State = schema.RunOpen
	r.actor.open++
	p.countRun(r, 1)
	return true
}

// ClosedEarly returns how many idle runs were closed before silence would have closed them, to make room.
func (p *Partition) ClosedEarly() uint64 { return p.closedEarly }
