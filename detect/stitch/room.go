package stitch

import "flyball/schema"

// At a limit of open runs, a new run takes the place of an idle one: that which silence would close next is closed before its time.
// It waits for late calls as any other closed run, and its next call opens it again with all its state. A run that is noticed (it
// has, or had, a trip, a finding or the level of an alert) is passed over: nothing is resolved and opened again by it.

// room keeps the open and closed runs of a partition within the limits.
type room struct {
	limits      *Limits
	queues      *queues
	counters    *counters
	dirty       *dirtyActors
	runs        runEnder
	idle        *idleActors
	closedEarly uint64
}

// runEnder ends runs of a partition.
type runEnder interface {
	// close closes an open run, at an offset of flyball.calls.
	close(r *Run, offset int64)
	// evict removes a run from memory.
	evict(s *slot)
}

// make makes room for an open run of an actor and a standing, at an offset of flyball.calls, and reports whether there is room.
// It closes at most one run, and none if the new run finds no room all the same: at its actor's limit an idle run of the actor, of
// no higher standing, and at that of the partition an idle run of the same standing. Established runs take the place of proven ones
// first: they share a limit.
func (m *room) make(a *Actor, s schema.Standing, offset int64) bool {
	full := !m.counters.roomForRun(s)
	var out *slot
	switch {
	case a.open >= m.limits.runsPerActor(s):
		out = m.queues.idlest(&a.idle)
		if out != nil && (out.pool > pool(s) || full && !out.pool.sharesLimit(s)) {
			return false
		}
	case full:
		if s == schema.StandingEstablished {
			out = m.queues.idlest(&m.queues.due[schema.StandingProven])
		}
		if out == nil {
			out = m.queues.idlest(&m.queues.due[s])
		}
	default:
		return true
	}
	if out == nil {
		return false
	}
	m.runs.close(out.live(), offset)
	m.closedEarly++
	return true
}

// sharesLimit reports whether closing an open run of a pool gives its place to one of a standing.
func (q pool) sharesLimit(s schema.Standing) bool {
	return q == pool(s) || s == schema.StandingEstablished && q == pool(schema.StandingProven)
}

// reopen opens a closed run at a late call of a caller of a standing, at an offset of flyball.calls. At a limit it takes the place of
// an idle run. If there is none, a run of claimed callers stays closed, and reopen returns false; others are opened above the limit,
// by at most the closed runs that are kept.
func (m *room) reopen(r *Run, s schema.Standing, offset int64) bool {
	m.queues.dequeue(r.slot)
	s = max(s, r.standing)
	if r.Rule != schema.RunOverflow && !m.make(r.actor, s, offset) && s == schema.StandingClaimed {
		m.queues.enqueue(r)
		return false
	}
	r.State = schema.RunOpen
	r.actor.open++
	m.counters.countRun(r, 1)
	return true
}

// raiseStanding moves a run to the pool of a higher standing, when one of its calls has that
// standing.
func (m *room) raiseStanding(r *Run, s schema.Standing) {
	if s <= r.standing || r.Rule == schema.RunOverflow {
		return
	}
	if r.State != schema.RunOpen {
		r.standing = s
		return
	}
	m.counters.countRun(r, -1)
	queued := r.inPartition >= 0
	if queued {
		m.queues.dequeue(r.slot)
	}
	r.standing = s
	m.counters.countRun(r, 1)
	if queued {
		m.queues.enqueue(r)
	}
}

// limitClosed evicts a closed run of a standing if there are more than its share: the one whose time ends first among those that
// are not noticed; only if there is none, among the noticed ones.
func (m *room) limitClosed(s schema.Standing, offset int64) {
	plain, noticed := &m.queues.due[closedPool+pool(s)], &m.queues.due[closedNoticedPool+pool(s)]
	if plain.Len()+noticed.Len() <= m.limits.closedRuns(s) {
		return
	}
	out := plain.first()
	if out == nil {
		out = noticed.first()
	}
	a := out.actor
	m.runs.evict(out)
	m.dirty.markApplied(a, offset)
	m.idle.add(a)
}

// limitClosedOf evicts closed runs of an actor while it has more than its share.
func (m *room) limitClosedOf(a *Actor) {
	for a.total-a.open > m.limits.ClosedRunsPerActor {
		m.runs.evict(a.closed.first())
	}
}

// ClosedEarly returns how many idle runs were closed before silence would have closed them, to make room.
func (p *Partition) ClosedEarly() uint64 { return p.room.closedEarly }
