package stitch

import (
	"fmt"

	"flyball/schema/wire"
)

// A run that has been quiet for some seconds is frozen: what only its next call needs (the state that a later stage attached to it,
// and its sightings) is kept as it is stored, in one allocation without pointers and about a third of the size. Its next
// call decodes it again. Freezing loses nothing, so when a run is frozen has no effect on what comes out.

// coolingRun is a run that is to be frozen if it does not change.
type coolingRun struct {
	run   *Run
	round uint32 // in which it was stored
}

// freezer freezes and packs the runs of a partition, and decodes them again. It reuses its memory.
type freezer struct {
	queues  *queues
	attach  func() Attachment // makes the empty state of a later stage of a run
	tail    tailCoder
	packer  packer
	round   uint32 // how often Freeze was called
	cooling []coolingRun
}

// letCool notes that a run was stored.
func (f *freezer) letCool(r *Run) {
	r.storedRound = f.round
	f.cooling = append(f.cooling, coolingRun{r, f.round})
}

func (f *freezer) freezeCooled(rounds uint32) {
	f.round++
	n := 0
	for ; n < len(f.cooling) && f.cooling[n].round+rounds <= f.round; n++ {
		if r := f.cooling[n].run; !r.unstored && !r.evicted && r.slot.run == r && r.storedRound == f.cooling[n].round {
			f.freeze(r)
		}
		f.cooling[n].run = nil
	}
	if f.cooling = f.cooling[n:]; len(f.cooling) == 0 {
		f.cooling = nil
	}
}

// freeze freezes a run and packs it, if it can be. The run must not be used afterwards.
func (f *freezer) freeze(r *Run) {
	if r.frozen == "" && (r.Attached != nil || len(r.sightings) > 0) {
		if n, ok := r.Attached.(Noticer); ok && n.HasFinding() {
			return
		}
		r.setFrozen(f.tail.encode(r))
	}
	f.pack(r)
}

func (r *Run) setFrozen(tail []byte) {
	r.isNoticed()
	r.frozen = string(tail)
	r.Attached, r.sightings, r.oldestSighting = nil, nil, 0
}

// wake decodes what is frozen of a run.
func (f *freezer) wake(r *Run) {
	if r.frozen == "" {
		return
	}
	tail := r.frozen
	r.frozen = ""
	if err := f.tail.decode(r, tail, f.attach); err != nil {
		panic(fmt.Sprintf("run %s: what this process has encoded or checked cannot be read: %v", r.RunID, err))
	}
}

// tailCoder encodes and decodes the part of a run that can be frozen. It reuses its memory.
type tailCoder struct {
	coder wire.Coder
	value []byte
	blank func() Attachment // makes the state that check reads into
}

// encode returns the encoded part; it is valid until the next use of the coder.
func (t *tailCoder) encode(r *Run) []byte {
	t.coder.StartWriting(t.value[:0], wire.KindState, StateVersion)
	codeTail(&t.coder, r, nil)
	t.value = t.coder.Bytes()
	return t.value
}

func (t *tailCoder) decode(r *Run, tail string, attach func() Attachment) error {
	c := &t.coder
	if err := c.StartReadingString(tail, wire.KindState, StateVersion); err != nil {
		return err
	}
	codeTail(c, r, attach)
	if c.Err == nil && c.Rest() != 0 {
		c.Refuse("bytes after the last field")
	}
	return c.Err
}

// check reads the encoded part of a restored run to find errors now, and whether the run has a finding. It keeps nothing of it.
func (t *tailCoder) check(r *Run, attach func() Attachment) error {
	c := &t.coder
	if err := c.StartReadingString(r.frozen, wire.KindState, StateVersion); err != nil {
		return err
	}
	if t.blank == nil && attach != nil {
		t.blank = reused(attach)
	}
	var read Attachment
	codeAttached(c, &read, t.blank, "a run")
	checkSightings(c)
	if c.Err == nil && c.Rest() != 0 {
		c.Refuse("bytes after the last field")
	}
	if n, ok := read.(Noticer); ok && n.HasFinding() {
		r.slot.noticed = true
	}
	return c.Err
}

// reused returns a function that makes the same state empty again, where that is possible, instead of making a new one.
func reused(attach func() Attachment) func() Attachment {
	var kept Reusable
	return func() Attachment {
		if kept != nil {
			kept.Reset()
			return kept
		}
		a := attach()
		kept, _ = a.(Reusable)
		return a
	}
}

func codeTail(c *wire.Coder, r *Run, attach func() Attachment) {
	codeAttached(c, &r.Attached, attach, "a run")
	codeSightings(c, r)
}
