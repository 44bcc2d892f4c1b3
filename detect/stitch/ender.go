package stitch

import "flyball/schema"

// ender ends runs: it closes them, and removes them from memory.
type ender struct {
	limits    *Limits
	watermark *int64 // of the partition
	queues    *queues
	counters  *counters
	room      *room
	freezer   *freezer
	checkRows *checkRows
	changed   *changedRuns
	dirty     *dirtyActors

	closed []*Run // since they were taken
}

// close closes an open run, at an offset of flyball.calls. A run that is closed before silence would have closed it is evicted when
// it would have been.
func (e *ender) close(r *Run, offset int64) {
	e.queues.dequeue(r.slot)
	r.closedAt = max(*e.watermark, r.nextDue(e.limits))
	r.State = schema.RunClosed
	r.actor.open--
	e.counters.countRun(r, -1)
	e.freezer.wake(r)
	r.markUnstored()
	r.sightings, r.oldestSighting = nil, 0
	e.checkRows.countAll(r)
	if r.Calls > 0 {
		e.changed.mark(r) // a bound trace without any span is not a run
	}
	e.closed = append(e.closed, r)
	e.queues.enqueue(r)
	e.dirty.markApplied(r.actor, offset)
	e.room.limitClosed(r.standing, offset)
}

func (r *Run) nextDue(l *Limits) int64 {
	if r.State == schema.RunOpen {
		return r.lastEnd + int64(r.gap(l))
	}
	return r.closedAt + int64(l.EvictAfter)
}

// evict removes a run from memory.
func (e *ender) evict(s *slot) {
	if !s.pool.closed() && s.inPartition >= 0 {
		s.actor.open--
		e.counters.countRun(s.live(), -1)
	}
	e.queues.dequeue(s)
	s.actor.removeRun(s)
	s.evicted = true
	if s.stored {
		s.actor.evictedRuns = append(s.actor.evictedRuns, s.id)
	}
	if r := s.run; r != nil {
		r.frozen = ""
		e.checkRows.countAll(r)
	}
	if s.actor.total == 0 {
		e.counters.countActive(s.actor, -1)
	}
}

// take appends to into the runs that were closed since the last call of take and have had no call since.
func (e *ender) take(into []*Run) []*Run {
	for _, r := range e.closed {
		if r.State == schema.RunClosed {
			into = append(into, r)
		}
	}
	clear(e.closed)
	e.closed = e.closed[:0]
	return into
}
