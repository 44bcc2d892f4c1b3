package stitch

import (
	"container/heap"
	"time"

	"flyball/schema"
)

// queues hold the runs of a partition in the order in which they are due.
type queues struct {
	limits    *Limits
	watermark *int64 // of the partition
	due       [numPools]slotHeap
}

// idleAfter is the silence, at the watermark, after which a run is idle. While a source holds the watermark, no further run is.
const idleAfter = int64(time.Minute)

// enqueue adds a run to the heaps in which it is due.
func (q *queues) enqueue(r *Run) {
	s := r.slot
	s.rule = r.Rule
	switch noticed := r.isNoticed(); {
	case r.State == schema.RunClosed && noticed:
		s.pool = closedNoticedPool + pool(r.standing)
	case r.State == schema.RunClosed:
		s.pool = closedPool + pool(r.standing)
	case r.Rule == schema.RunOverflow:
		s.pool = overflowPool
	case noticed:
		s.pool = noticedPool
	default:
		s.pool = pool(r.standing)
	}
	s.dueAt = r.nextDue(q.limits)
	heap.Push(&q.due[s.pool], s)
	if s.pool != overflowPool && s.pool != noticedPool {
		heap.Push(s.actor.heapOf(s), s)
	}
}

// dequeue removes a slot from its heaps.
func (q *queues) dequeue(s *slot) {
	q.due[s.pool].remove(s)
	s.actor.heapOf(s).remove(s)
}

// postpone moves the time at which an open run is due.
func (q *queues) postpone(s *slot, dueAt int64) {
	s.dueAt = dueAt
	q.due[s.pool].fix(s)
	s.actor.heapOf(s).fix(s)
}

// updateDue moves an open run to the time at which it is due after its latest call, and reports whether it has moved. A run whose
// end moves keeps its place in the heap until it becomes due, which is cheaper than moving it at every call.
func (q *queues) updateDue(s *slot) bool {
	if s.run == nil || s.pool.closed() {
		return false // packed, or closed: it is exact
	}
	next := s.run.nextDue(q.limits)
	if next == s.dueAt {
		return false
	}
	q.postpone(s, next)
	return true
}

// firstDue returns the slot that is due first of all pools; nil: none is due at the watermark.
func (q *queues) firstDue() *slot {
	var first *slot
	for i := range q.due {
		if s := q.due[i].first(); s != nil && s.dueAt <= *q.watermark && (first == nil || s.before(first)) {
			first = s
		}
	}
	return first
}

// schedule adds an open run to the heaps if it is in none.
func (q *queues) schedule(r *Run) {
	if r.inPartition < 0 {
		q.enqueue(r)
	}
}

// idlest returns the run of a heap that is due first; nil: it is not idle, or there is none. Each run that it passes over leaves the
// heap or has had a call since it was passed over last.
func (q *queues) idlest(h *slotHeap) *slot {
	for s := h.first(); s != nil; s = h.first() {
		switch {
		case q.updateDue(s):
		case s.noticed || s.run != nil && s.run.isNoticed():
			q.enqueueAgain(s)
		case *q.watermark-(s.dueAt-int64(q.limits.gap(s.rule))) < idleAfter:
			return nil
		default:
			return s
		}
	}
	return nil
}

// enqueueAgain moves an open run that was noticed since it was enqueued.
func (q *queues) enqueueAgain(s *slot) {
	q.dequeue(s)
	q.enqueue(s.live())
}
