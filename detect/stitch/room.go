package stitch

import (
	"time"

	"flyball/schema"
)

// At a limit of open runs, the run that silence would close next is closed before its time, so that a new run never finds its
// place taken by one that nobody has called for a while. Such a run is closed as any other: its findings are closed, it waits
// EvictAfter for late calls, and its next call opens it again with all its state.

// A run is idle after a silence of idleAfter at the watermark, which is Lateness behind. A source that is behind holds the
// watermark, and with it every run: so a run is also idle if it ended idleAfter, Lateness and heldAtMost before the newest call of
// the partition. That is only about room: silence closes runs by the watermark alone.
const (
	idleAfter  = int64(time.Minute)
	heldAtMost = int64(10 * time.Minute)
)

func (p *Partition) isIdle(r *Run) bool {
	at := max(p.watermark, p.newest-int64(p.limits.Lateness)-heldAtMost)
	return at-r.lastEnd >= idleAfter
}

// makeRoom makes room for an open run of an actor and a standing, at an offset of flyball.calls. It closes the quietest run of
// the actor, if the actor is at its limit, and the quietest run of the same standing, if the partition is; each only if it is
// idle and no run of a higher standing. It reports whether there is room.
func (p *Partition) makeRoom(a *Actor, s schema.Standing, offset int64) bool {
	for a.open >= p.limits.OpenRunsPerActor {
		if !p.closeIdle(&a.idle, s, offset) {
			return false
		}
	}
	for !p.openPools.room(s, p.limits.OpenRuns, p.limits.claimedRuns()) {
		if !p.closeIdle(&p.due[s], s, offset) {
			return false
		}
	}
	return true
}

// closeIdle closes the run of a heap that is due first, if it is idle and its standing is at most most.
func (p *Partition) closeIdle(h *slotHeap, most schema.Standing, offset int64) bool {
	s := h.first()
	for s != nil && p.updateDue(s) {
		s = h.first()
	}
	if s == nil || s.pool > pool(most) {
		return false
	}
	if r := s.live(); p.isIdle(r) {
		p.close(r, offset)
		p.closedEarly++
		return true
	}
	return false
}

// reopen opens a closed run at a late call, at an offset of flyball.calls. At a limit it takes the place of an idle run; if there
// is none it is opened above the limit, by at most the closed runs that are kept.
func (p *Partition) reopen(r *Run, offset int64) {
	p.dequeue(r.slot)
	p.makeRoom(r.actor, r.standing, offset)
	r.State = schema.RunOpen
	r.actor.open++
	p.countRun(r, 1)
}

// ClosedEarly returns how many idle runs were closed before silence would have closed them, to make room.
func (p *Partition) ClosedEarly() uint64 { return p.closedEarly }
