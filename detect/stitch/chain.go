package stitch

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"flyball/detect/curve"
	"flyball/schema"
	"flyball/schema/wire"
)

// Chain reads what one owner has stored of an actor, record by record in the order of the topic. It keeps the decoded runs of the
// newest whole checkpoint, packed, and the deltas after it.
type Chain struct {
	s           *Store
	a           *Actor
	generation  uint64
	first, last uint64 // numbers of the deltas of the newest checkpoint and those it goes on from; 0: none was read
	runs        map[schema.RunID]*slot
	pending     []Delta // after last
	broken      bool    // a delta between first and last is missing
	err         error
}

// Add adds a delta. It returns the errors of ReadDeltaHeader; others are those of Actor, because the delta may turn out to be void.
func (ch *Chain) Add(number uint64, value []byte) error {
	h, err := ReadDeltaHeader(value)
	if err != nil || number <= ch.last {
		return err
	}
	ch.pending = append(ch.pending, Delta{number, value})
	if !h.Last {
		ch.pending[len(ch.pending)-1].Value = bytes.Clone(value)
		return nil
	}
	if h.First > ch.first { // the chain begins again
		ch.first, ch.last, ch.broken, ch.err, ch.a.storedBytes = h.First, h.First-1, false, nil, 0
		clear(ch.runs)
	}
	for _, d := range ch.pending {
		if d.Number < h.First {
			continue
		}
		if ch.broken = ch.broken || d.Number != ch.last+1; !ch.broken && ch.err == nil {
			ch.err = ch.apply(d.Value, d.Number == number)
		}
		ch.last = d.Number
	}
	ch.pending = nil
	return nil
}

// Remove notes that a delta was deleted.
func (ch *Chain) Remove(number uint64) {
	ch.pending = slices.DeleteFunc(ch.pending, func(d Delta) bool { return d.Number == number })
	if ch.first <= number && number <= ch.last {
		ch.broken = true
		clear(ch.runs)
	}
}

// Void reports whether the newest whole checkpoint does not need the delta with a number any more.
func (ch *Chain) Void(number uint64) bool { return number < ch.first }

// Actor returns the actor at its newest whole checkpoint; nil: there is none. damaged has an error for each run of which the state of
// later stages and the sightings cannot be read: it goes on without them. The chain must not be used afterwards.
func (ch *Chain) Actor() (a *Actor, damaged []error, err error) {
	if ch.last == 0 || ch.broken {
		return nil, nil, nil
	}
	if ch.err != nil {
		return nil, nil, fmt.Errorf("state of actor %q: %w", ch.a.Key, ch.err)
	}
	sorted := make([]*slot, 0, len(ch.runs))
	for _, s := range ch.runs {
		sorted = append(sorted, s)
	}
	ch.runs = nil
	slices.SortFunc(sorted, func(x, y *slot) int { return bytes.Compare(x.id[:], y.id[:]) })
	f := &ch.s.p.freezer
	for _, s := range sorted {
		r := f.packer.look(s)
		err := f.tail.check(r, f.attach)
		if err != nil {
			err = fmt.Errorf("state of actor %q: run %s: %w", ch.a.Key, r.RunID, err)
			if !errors.Is(err, wire.ErrMalformed) {
				return nil, nil, err
			}
			damaged = append(damaged, err)
		}
		if r.isNoticed(); err != nil || !r.canPack() {
			f.unpack(s)
			r = s.run
		}
		if err != nil {
			r.frozen = ""
		}
		ch.a.standing = max(ch.a.standing, r.standing)
		ch.a.addRun(r)
	}
	f.packer.release()
	ch.a.SavedThrough = ch.a.Included
	return ch.a, damaged, nil
}

// apply decodes a delta. last reports that it ends a checkpoint.
func (ch *Chain) apply(value []byte, last bool) error {
	a := ch.a
	a.storedBytes += len(value)
	c := &ch.s.deltas.coder
	if err := c.StartReadingShared(value, wire.KindState, StateVersion); err != nil {
		return err
	}
	defer c.Release()
	var h DeltaHeader
	h.code(c)
	ch.generation = h.Generation
	key := ""
	if c.Text(&key); a.Key == "" {
		a.setKey(strings.Clone(key))
	}
	n := 0
	c.Len(&n, len(schema.RunID{}))
	for range n {
		var id schema.RunID
		c.Array(id[:])
		delete(ch.runs, id)
	}
	for more := false; ; {
		if c.Bool(&more); !more || c.Err != nil {
			break
		}
		if err := ch.addRun(c); err != nil {
			return err
		}
	}
	if last && c.Err == nil {
		c.CopyRest()
		c.Int(&a.Included)
		a.observers, a.Attached, a.proofs, a.hours = nil, nil, nil, curve.Hours{}
		codeOwn(c, a, ch.s.p.newActorAttachment)
		if c.Err == nil && c.Rest() != 0 {
			c.Refuse("bytes after the last field")
		}
	}
	return c.Err
}

// addRun reads a run of a delta and keeps it packed.
func (ch *Chain) addRun(c *wire.Coder) error {
	k := &ch.s.p.freezer.packer
	id, err := k.read(c)
	if err != nil {
		return err
	}
	s := ch.runs[id]
	if s == nil {
		s = ch.a.newSlot()
		s.id = id
		ch.runs[id] = s
	}
	k.put(s)
	return nil
}
