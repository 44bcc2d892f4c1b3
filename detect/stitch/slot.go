package stitch

import (
	"bytes"
	"container/heap"

	"flyball/schema"
)

// slot is the place of a run in its actor and in its partition: what is needed of every run, also of one that nobody has called
// for a while. It holds the run as Run, or packed in one string.
type slot struct {
	run    *Run   // nil while the run is packed
	packed string // the run encoded; empty while it is not packed
	names  *names // of a packed run
	actor  *Actor
	next   *slot  // the next run of the same key in runIndex
	hash   uint64 // of the run's key
	dueAt  int64  // event time at which the run is due; later calls of a run that is not packed do not move it at once
	id     schema.RunID

	inPartition int32 // index in its heap of the partition, -1 outside
	inActor     int32 // index in its heap of the actor, -1 outside
	pool        pool  // its heap of the partition
	rule        schema.RunRule
	noticed     bool // Run.isNoticed, when it was last called; never false again
	evicted     bool
	stored      bool // the actor's chain has a version of it
}

// pool is the number of a heap of a partition: open runs by the standing of their callers, those that are never closed early, and
// closed runs by standing, first those that nobody has to look at.
type pool uint8

const (
	standings         = pool(schema.StandingEstablished) + 1
	overflowPool      = standings
	noticedPool       = overflowPool + 1
	closedPool        = noticedPool + 1
	closedNoticedPool = closedPool + standings
	numPools          = closedNoticedPool + standings
)

func (q pool) closed() bool { return q >= closedPool }

// live returns the run. It decodes a packed one.
func (s *slot) live() *Run {
	if s.run == nil {
		s.actor.part.freezer.unpack(s)
	}
	return s.run
}

// before is the order in which runs are due. Among equal times it is that of the ids, so that it does not depend on restarts.
func (s *slot) before(other *slot) bool {
	if s.dueAt != other.dueAt {
		return s.dueAt < other.dueAt
	}
	return bytes.Compare(s.id[:], other.id[:]) < 0
}

// slotHeap is a heap of slots in the order in which they are due.
type slotHeap struct {
	slots   []*slot
	ofActor bool // which of a slot's indices is that in this heap
}

func (h *slotHeap) index(s *slot) *int32 {
	if h.ofActor {
		return &s.inActor
	}
	return &s.inPartition
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (h *slotHeap) Len() int { return len(h.slots) }
func (h *slotHeap) Less(i, j int) bool {
	x, y := h.slots[i], h.slots[j]
	if last := x.pool >= closedNoticedPool; h.ofActor && last != (y.pool >= closedNoticedPool) {
		return !last // of an actor's closed runs, noticed ones are evicted last
	}
	return x.before(y)
}
func (h *slotHeap) Swap(i, j int) {
	h.slots[i], h.slots[j] = h.slots[j], h.slots[i]
	*h.index(h.slots[i]), *h.index(h.slots[j]) = int32(i), int32(j)
}
func (h *slotHeap) Push(x any) {
	s := x.(*slot)
	*h.index(s) = int32(len(h.slots))
	h.slots = append(h.slots, s)
}
func (h *slotHeap) Pop() any {
	last := len(h.slots) - 1
	s := h.slots[last]
	h.slots[last] = nil
	if h.slots = h.slots[:last]; last == 0 {
		h.slots = nil // the memory of a slice does not shrink
	}
	*h.index(s) = -1
	return s
}

// first returns the slot that is due first; nil: there is none.
func (h *slotHeap) first() *slot {
	if len(h.slots) == 0 {
		return nil
	}
	return h.slots[0]
}

func (h *slotHeap) fix(s *slot) {
	if i := *h.index(s); i >= 0 {
		heap.Fix(h, int(i))
	}
}

func (h *slotHeap) remove(s *slot) {
	if i := *h.index(s); i >= 0 {
		heap.Remove(h, int(i))
	}
}

// heapOf returns the heap of the actor that holds a slot.
func (a *Actor) heapOf(s *slot) *slotHeap {
	if s.pool.closed() {
		return &a.closed
	}
	return &a.idle
}
