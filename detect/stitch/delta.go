package stitch

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"flyball/schema"
	"flyball/schema/wire"
)

// An actor is stored as a chain of deltas, numbered from 1 under each owner of the partition. A checkpoint of the actor
// appends one delta: the actor's own part, the runs that have changed since the checkpoint before, and the ids of the stored
// runs that were evicted. A checkpoint above maxDelta is divided, and only its last delta has the own part: deltas after the
// newest last one are void. So a checkpoint is stored as a whole or not at all, and the chain is the actor's state at one
// offset, whatever happens between two writes.
//
// A chain that holds more than storedPerRun versions a run begins again: the next delta has all runs, and those before are
// void. So a run is written at most half as often again as it changes, and a restart reads at most storedPerRun versions.
const (
	maxDelta     = 1 << 20 // bytes; a delta exceeds it by at most a run
	storedPerRun = 3
	storedSlack  = 32 // versions; so that a chain of few runs does not begin again at each checkpoint
)

// deltaVersion is the version of stored state from which an actor is a chain of deltas.
const deltaVersion = 11

// Delta is one record of an actor's chain.
type Delta struct {
	Number uint64
	Value  []byte
}

// DeltaHeader is the beginning of a delta.
type DeltaHeader struct {
	Last       bool   // it ends a checkpoint
	Generation uint64 // of the owner that wrote it
	Number     uint64
	First      uint64 // lowest number of the deltas that are not void
}

func (h *DeltaHeader) code(c *wire.Coder) {
	c.Bool(&h.Last)
	c.Uint(&h.Generation)
	c.Uint(&h.Number)
	c.Uint(&h.First)
}

// ReadDeltaHeader decodes the beginning of a delta. The errors are those of wire.NewReader.
func ReadDeltaHeader(value []byte) (h DeltaHeader, err error) {
	c, err := wire.NewReader(value[:min(len(value), 64)], wire.KindState, StateVersion)
	if err != nil {
		return h, err
	}
	if c.Version < deltaVersion {
		return h, fmt.Errorf("%w: a delta of version %d", wire.ErrMalformed, c.Version)
	}
	h.code(c)
	return h, c.Err
}

// deltaWriter encodes deltas. It reuses its memory.
type deltaWriter struct {
	coder wire.Coder
	value []byte
	tail  tailCoder
}

// StoredBytes returns how many bytes the actor's chain has.
func (a *Actor) StoredBytes() int { return a.storedBytes }

// StoreAnew lets the actor's chain begin again with the next delta, which has all runs.
func (a *Actor) StoreAnew() { a.storedRuns = math.MaxInt / 2 }

func forEach(runs []*Run, f func(*Run)) {
	for _, r := range runs {
		f(r)
	}
}

// encode encodes a checkpoint with the runs that each passes, and moves the number of the next delta.
func (w *deltaWriter) encode(a *Actor, each func(func(*Run)), generation uint64) (out []Delta) {
	evicted, more, c := a.evictedRuns, false, &w.coder
	begin := func() {
		c.StartWriting(w.value[:0], wire.KindState, StateVersion)
		h := DeltaHeader{Generation: generation, Number: a.nextDelta, First: a.firstDelta}
		h.code(c)
		c.Text(&a.Key)
		n := len(evicted)
		c.Len(&n, len(schema.RunID{}))
		for i := range evicted {
			c.Array(evicted[i][:])
		}
		evicted = nil
	}
	end := func(last bool) {
		more = false
		c.Bool(&more)
		if last {
			c.Int(&a.Included)
			codeOwn(c, a, nil)
		}
		w.value = c.Bytes()
		value := bytes.Clone(w.value)
		if last {
			value[lastAt] = 1
		}
		out = append(out, Delta{a.nextDelta, value})
		a.nextDelta++
	}
	begin()
	first := true
	each(func(r *Run) {
		if len(c.Bytes()) >= maxDelta && !first {
			end(false)
			begin()
		}
		first, more = false, true
		c.Bool(&more)
		w.encodeRun(c, r)
	})
	end(true)
	return out
}

// lastAt is the index of DeltaHeader.Last in a delta.
const lastAt = 2

// EncodeActor appends to dst a chain of one delta with the whole actor, as an owner of a generation would write it, with the
// runs in the order of their ids. It changes nothing.
func EncodeActor(dst []byte, a *Actor, generation uint64) []byte {
	c := wire.NewWriter(dst, wire.KindState, StateVersion)
	h := DeltaHeader{Last: true, Generation: generation, Number: 1, First: 1}
	h.code(c)
	c.Text(&a.Key)
	more, none := true, 0
	c.Len(&none, 1)
	var w deltaWriter
	for _, r := range slices.SortedFunc(a.runs.all, compareIDs) {
		c.Bool(&more)
		w.encodeRun(c, r)
	}
	more = false
	c.Bool(&more)
	c.Int(&a.Included)
	codeOwn(c, a, nil)
	return c.Bytes()
}

func compareIDs(x, y *Run) int { return bytes.Compare(x.RunID[:], y.RunID[:]) }

// encodeRun encodes a run of a delta. packer.read reads it.
func (w *deltaWriter) encodeRun(c *wire.Coder, r *Run) {
	codeRun(c, r)
	codeAlarm(c, r)
	if r.frozen != "" {
		c.Text(&r.frozen) // as Blob
	} else {
		value := w.tail.encode(r)
		c.Blob(&value)
	}
	codePending(c, r)
}
