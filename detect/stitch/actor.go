package stitch

import (
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"flyball/detect/curve"
	"flyball/schema"
)

// Actor holds what is known of one caller, identified by its routing key, with its runs.
type Actor struct {
	Key  string
	hash uint32 // schema.HashActor of the key
	// Included is the offset of the last record of flyball.calls that was applied; SavedThrough is
	// the offset of the last one in the actor's stored entry: a replay skips the actor's calls up
	// to it. -1: none.
	Included, SavedThrough int64
	// DirtyFrom is the first offset applied since the entry was written; -1: none was.
	DirtyFrom int64

	// Attached is the state that a later stage keeps for the actor; it is stored with it.
	Attached Attachment

	observers    []uint64        // hashes of the observers of its calls, in the order of their first calls
	checked      bool            // the check has recorded a request of it
	proofs       []proof         // how often the API accepted credentials that are not established otherwise
	standing     schema.Standing // the pool in which it is counted
	hours        curve.Hours
	hoursChanged bool   // it is in Partition.hours.changed
	hoursFull    bool   // it is in Partition.hours.full
	released     bool   // it has no runs, and its place in its pool was given to another actor
	forgotten    bool   // it was removed from the partition
	woken        uint64 // how often it got a run when it had none, in this process

	unstored    []*Run         // runs that have changed since the last checkpoint of the actor
	evictedRuns []schema.RunID // that are stored and were evicted since then
	storedRuns  int            // versions of runs in its chain
	firstDelta  uint64         // number of the first delta that is not void
	nextDelta   uint64         // number of the next one; 0: this owner has stored none
	storedBytes int            // of its chain; 0: nothing is stored

	part    *Partition
	runs    runIndex
	traces  traceIndex
	idle    slotHeap // open runs, without the overflow runs
	closed  slotHeap
	open    int
	total   int
	tripped []*Run // runs with a trip; few of an actor's runs have one
}

// bindKey is the key that the calls of one run share. The credential is always part of it.
type bindKey struct {
	Rule       schema.RunRule
	Credential string
	Key        string
	Principal  string
}

// key returns a key with strings that alias no record.
func (w *words) key(k bindKey) bindKey {
	k.Credential, k.Key, k.Principal = w.of(k.Credential), strings.Clone(k.Key), w.of(k.Principal)
	return k
}

// traceKey returns the hash of a trace and the credential that used it.
func traceKey(trace [16]byte, credential string) uint64 {
	var raw schema.TextBuffer
	return xxhash.Sum64(append(append(raw[:0], trace[:]...), credential...))
}

func (a *Actor) setKey(key string) { a.Key, a.hash = key, schema.HashActor(key) }

// noteStored records that the actor's chain has so many bytes.
func (a *Actor) noteStored(bytes int) {
	a.part.Store.bytes += int64(bytes - a.storedBytes)
	a.storedBytes = bytes
}

// Owner returns the actor that the run belongs to.
func (r *Run) Owner() *Actor { return r.actor }

// Empty reports whether the actor has no runs.
func (a *Actor) Empty() bool { return a.total == 0 }

// addRun makes the slot of a run of the actor.
func (a *Actor) addRun(r *Run) {
	r.slot.id, r.slot.hash = r.RunID, r.bind.hash()
	a.runs.insert(r.slot)
	a.total++
	if r.State == schema.RunOpen {
		a.open++
	}
	if r.TrippedAt > 0 {
		a.tripped = append(a.tripped, r)
	}
	for _, t := range r.traces {
		a.attach(t, r)
	}
}

// newRun returns an empty run of the actor, which addRun adds.
func (a *Actor) newRun() *Run {
	s := a.newSlot()
	s.run = &Run{slot: s}
	return s.run
}

func (a *Actor) newSlot() *slot { return &slot{actor: a, inPartition: -1, inActor: -1} }

// removeRun removes a run that is evicted.
func (a *Actor) removeRun(s *slot) {
	a.runs.remove(s)
	a.total--
	if s.run == nil && a.traces.empty() {
		return // a packed run has no trip
	}
	r := s.live()
	if r.TrippedAt > 0 {
		a.tripped = slices.DeleteFunc(a.tripped, func(other *Run) bool { return other == r })
	}
	for _, t := range r.traces {
		if k := traceKey(t, r.bind.Credential); a.traces.find(k) == s {
			a.traces.remove(k)
		}
	}
}

func (a *Actor) attach(trace [16]byte, r *Run) {
	a.traces.set(traceKey(trace, r.bind.Credential), r.slot)
}

// runOfTrace returns the run that a trace of a credential belongs to; nil: not known.
func (a *Actor) runOfTrace(trace [16]byte, credential string) *Run {
	s := a.traces.find(traceKey(trace, credential))
	if s == nil {
		return nil
	}
	r := s.live()
	if r.bind.Credential != credential || !slices.Contains(r.traces, trace) {
		return nil
	}
	return r
}

// noteTrace records that a trace belongs to a run. A run keeps its last few traces.
func (a *Actor) noteTrace(c *schema.Call, r *Run) {
	if c.TraceID == [16]byte{} || slices.Contains(r.traces, c.TraceID) {
		return
	}
	key := traceKey(c.TraceID, r.bind.Credential)
	if a.traces.find(key) != nil {
		return // another run of the actor had it first
	}
	if len(r.traces) == tracesPerRun {
		a.traces.remove(traceKey(r.traces[0], r.bind.Credential))
		r.traces = append(r.traces[:0], r.traces[1:]...)
	}
	r.traces = append(r.traces, c.TraceID)
	a.traces.set(key, r.slot)
}

// Trip records that the run was tripped at an event time, in Unix ns.
func (r *Run) Trip(at int64) {
	if r.TrippedAt == 0 {
		r.actor.tripped = append(r.actor.tripped, r)
	}
	r.TrippedAt = at
}

// TrippedSiblings returns how many other runs of the run's actor were tripped at or after a time,
// in Unix ns.
func (r *Run) TrippedSiblings(since int64) int {
	n := 0
	for _, other := range r.actor.tripped {
		if other != r && other.TrippedAt >= since {
			n++
		}
	}
	return n
}
