package stitch

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"flyball/schema"
	"flyball/schema/wire"
)

// Store encodes and decodes what is stored of a partition's actors, and knows which of them have changed since.
type Store struct {
	p      *Partition
	dirty  dirtyActors
	deltas deltaWriter
	bytes  int64
}

// Actor returns an actor of the partition; nil: it has none with this key.
func (s *Store) Actor(key string) *Actor { return s.p.actors[key] }

// Dirty returns the actors that changed since their entries were written, the earliest first.
func (s *Store) Dirty() []*Actor { return s.dirty }

// Saved removes the first n dirty actors from the list: their entries are written.
func (s *Store) Saved(n int) {
	for _, a := range s.dirty[:n] {
		a.DirtyFrom = -1
	}
	s.dirty = append(s.dirty[:0], s.dirty[n:]...)
}

// EncodeChanges returns the deltas that store what has changed of an actor since its last checkpoint, in the order in which
// they are written, and the range [from, to) of deltas that are void once all of them are stored. All changes count as stored
// then: a caller that cannot write them must not go on with the partition.
func (s *Store) EncodeChanges(a *Actor, generation uint64) (deltas []Delta, from, to uint64) {
	bytes, whole := a.storedBytes, a.nextDelta == 0
	if whole { // what is stored is another owner's
		a.firstDelta, a.nextDelta = 1, 1
	}
	runs := slices.DeleteFunc(a.unstored, func(r *Run) bool { return r.evicted })
	a.unstored = nil
	for _, r := range runs {
		r.unstored = false
	}
	from, to = a.firstDelta, a.firstDelta
	if whole || a.storedRuns+len(runs) > storedPerRun*a.total+storedSlack {
		to, a.firstDelta, a.storedRuns, a.evictedRuns, bytes = a.nextDelta, a.nextDelta, a.total, nil, 0
		deltas = s.deltas.encode(a, a.each, generation)
		for place := range a.runs.slots {
			place.stored = true
		}
	} else {
		a.storedRuns += len(runs)
		deltas = s.deltas.encode(a, func(f func(*Run)) { forEach(runs, f) }, generation)
	}
	a.evictedRuns = nil
	for _, r := range runs {
		r.stored = true
		s.p.freezer.letCool(r)
	}
	for _, d := range deltas {
		bytes += len(d.Value)
	}
	a.noteStored(bytes)
	return deltas, from, to
}

// StoredDeltas returns the range [first, next) of the deltas of an actor that are not void. It is empty if this owner has
// stored none.
func (s *Store) StoredDeltas(actor string) (first, next uint64) {
	if a := s.p.actors[actor]; a != nil {
		return a.firstDelta, a.nextDelta
	}
	return 0, 0
}

// StoredBytes returns how many bytes the chains of the actors in memory have together: what a
// restart reads, without the deltas that are void.
func (s *Store) StoredBytes() int64 { return s.bytes }

// Freeze freezes the runs that have not changed since they were stored, at least the given number of calls of Freeze ago.
func (s *Store) Freeze(rounds uint32) { s.p.freezer.freezeCooled(rounds) }

// Forget removes an actor that has no runs. done reports that it was removed, later that Forget
// must be called again later: an actor is kept while what is attached to it is needed, and a proven actor
// for a day after its last accepted call, so that a flood of other actors does not take its place.
func (s *Store) Forget(key string) (done, later bool) {
	a := s.p.actors[key]
	if a == nil || !a.Empty() || a.DirtyFrom >= 0 {
		return false, false
	}
	a.dropExpired(s.p.watermark)
	if a.Attached != nil || !a.released && a.rememberedIdle(s.p.watermark) {
		return false, true
	}
	delete(s.p.actors, key)
	a.noteStored(0)
	if a.forgotten = true; !a.released {
		s.p.counters.countActor(a, -1)
	}
	return true, false
}

// Restore decodes an actor and returns the generation that wrote it: from its entry as it was written up to version 10, or
// from the deltas of its chain that are not void, in the order of their numbers. The actor is not part of the partition until
// it is adopted.
func (s *Store) Restore(values ...[]byte) (a *Actor, generation uint64, err error) {
	if len(values) > 0 && len(values[0]) > 1 && values[0][1] >= deltaVersion {
		if a, generation, err = s.readDeltas(values); err == nil {
			a.SavedThrough = a.Included
		}
		return a, generation, err
	}
	if len(values) != 1 {
		return nil, 0, fmt.Errorf("%w: an actor of %d entries", wire.ErrMalformed, len(values))
	}
	c, err := wire.NewReader(values[0], wire.KindState, StateVersion)
	if err != nil {
		return nil, 0, err
	}
	a = emptyActor(s.p)
	a.storedBytes = len(values[0])
	codeActor(c, a, &generation, s.p.freezer.attach, s.p.newActorAttachment)
	if c.Err == nil && c.Rest() != 0 {
		c.Err = fmt.Errorf("%w: bytes after the last run", wire.ErrMalformed)
	}
	if c.Err != nil {
		return nil, 0, fmt.Errorf("state of actor %q: %w", a.Key, c.Err)
	}
	a.setKey(strings.Clone(a.Key))
	a.SavedThrough = a.Included
	for r := range a.runs.all {
		r.Actor = a.Key
	}
	return a, generation, nil
}

// readDeltas decodes the chain of an actor: all its deltas that are not void, in the order of their numbers.
func (s *Store) readDeltas(values [][]byte) (a *Actor, generation uint64, err error) {
	ch := s.NewChain()
	for _, value := range values {
		h, err := ReadDeltaHeader(value)
		if err == nil {
			err = ch.Add(h.Number, value)
		}
		if err != nil {
			return nil, 0, err
		}
	}
	if len(ch.pending) > 0 {
		return nil, 0, fmt.Errorf("%w: a chain without the end of a checkpoint", wire.ErrMalformed)
	}
	a, damaged, err := ch.Actor()
	switch {
	case err != nil:
	case len(damaged) > 0:
		err = damaged[0]
	case a == nil:
		err = errors.New("a chain that is not whole")
	}
	if err != nil {
		return nil, 0, err
	}
	return a, ch.generation, nil
}

// NewChain returns an empty chain of the partition.
func (s *Store) NewChain() *Chain {
	a := emptyActor(s.p)
	return &Chain{s: s, a: a, runs: map[schema.RunID]*slot{}}
}

// Adopt makes a restored actor part of the partition. It replaces one of the same key.
func (s *Store) Adopt(a *Actor) {
	s.p.actors[a.Key] = a
	s.bytes += int64(a.storedBytes)
	s.p.counters.countActor(a, 1)
	if a.total > 0 {
		s.p.counters.countActive(a, 1)
	}
	s.p.idle.adopt(a)
	a.each(func(r *Run) {
		r.CallsPart = s.p.part
		if r.State == schema.RunOpen {
			s.p.counters.countRun(r, 1)
		}
		s.p.queues.enqueue(r)
		s.p.checkRows.adopt(r)
		if r.Calls > 0 && r.Emitted < r.version() {
			s.p.changed.mark(r.slot.live())
		}
		if r.frozen != "" && r.slot.run == r {
			s.p.freezer.pack(r)
		}
	})
}
