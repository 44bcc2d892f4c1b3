package detector

import (
	"fmt"
	"slices"
	"strings"

	"flyball/schema/wire"
)

// sectionCoder encodes and decodes sections. A section is one detector's state: a name, a length,
// and a value with a separate version. A reader skips the section of a detector that it does not
// have, and fails at one that a newer version wrote.
type sectionCoder struct {
	coder wire.Coder
	value []byte // buffer of the last written value, reused
}

// maxSections bounds the sections that are read of one run or actor.
const maxSections = 64

// codeSections encodes or decodes the states of one run or actor. create returns the function that
// makes a detector's empty state; if it returns nil, the section is kept unchanged.
func (s *Set) codeSections(c *wire.Coder, kept *[]keptState, create func(*Description) func() State) {
	n := len(*kept)
	c.Len(&n, 4)
	if c.Encoding {
		for i := range *kept {
			s.writeSection(c, &(*kept)[i])
		}
		return
	}
	if n > maxSections {
		c.Refuse("more detectors' states than there can be")
		return
	}
	for range n {
		if s.readSection(c, kept, create); c.Err != nil {
			return
		}
	}
}

func (s *Set) writeSection(c *wire.Coder, k *keptState) {
	if unknown, ok := k.state.(*unknownState); ok {
		c.Text(&unknown.name)
		c.Blob(&unknown.value)
		return
	}
	d, out := &s.slots[k.slot], &s.sections
	out.coder.StartWriting(out.value[:0], wire.KindState, d.StateVersion)
	k.state.Code(&out.coder)
	out.value = out.coder.Bytes()
	name := d.Name
	c.Text(&name)
	c.Blob(&out.value)
}

func (s *Set) readSection(c *wire.Coder, kept *[]keptState, create func(*Description) func() State) {
	var name string
	var value []byte
	c.Text(&name)
	c.Blob(&value)
	if c.Err != nil {
		return
	}
	slot := s.slotOf(name)
	if slot == unknownSlot || create(&s.slots[slot]) == nil {
		s.unknown = addUnknown(s.unknown, name)
		*kept = addState(*kept, unknownSlot, &unknownState{strings.Clone(name), append([]byte(nil), value...)})
		return
	}
	if findState(*kept, slot) != nil {
		c.Refuse("two states of detector " + name)
		return
	}
	state, in := create(&s.slots[slot])(), &s.sections.coder
	err := in.StartReading(value, wire.KindState, s.slots[slot].StateVersion)
	if err == nil {
		state.Code(in)
		if err = in.Err; err == nil && in.Rest() != 0 {
			err = fmt.Errorf("%w: bytes after its last field", wire.ErrMalformed)
		}
	}
	if err != nil {
		c.Err = fmt.Errorf("state of detector %s: %w", name, err)
		return
	}
	*kept = addState(*kept, slot, state)
}

// maxUnknown bounds the names that are kept for the log.
const maxUnknown = 8

func addUnknown(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	if len(names) == maxUnknown {
		return names
	}
	return append(names, strings.Clone(name))
}

// UnknownStates returns the names of detectors that this version does not have and whose state was
// read and is kept, up to maxUnknown.
func (s *Set) UnknownStates() []string { return s.unknown }
