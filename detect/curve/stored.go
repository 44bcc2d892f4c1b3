package curve

import (
	"bytes"
	"fmt"
	"math"

	"flyball/schema"
	"flyball/schema/wire"
)

// Version is the version of stored counters.
const Version = 1

// Counters are stored as a chain of deltas, numbered from 1 under each owner of the partition. A delta has the counters that have
// changed since the delta before, so what is written is in proportion to what has changed. A chain of more than storedPerCounter
// versions a counter begins again: the next delta has all counters, and those before are void. Which counters were given up is
// not stored: it follows from the order of the last calls.
const (
	storedPerCounter = 3
	storedSlack      = 64
)

// chain is what this owner has stored.
type chain struct {
	first, next uint64 // numbers of the deltas that are not void: [first, next); next is 0 if there are none
	versions    int    // of counters in them
	coder       wire.Coder
	value       []byte
}

// First returns the lowest number of the deltas that are not void according to a delta. The errors are those of wire.NewReader.
func First(delta []byte) (first uint64, err error) {
	c, err := wire.NewReader(delta[:min(len(delta), 64)], wire.KindState, Version)
	if err != nil {
		return 0, err
	}
	c.Uint(&first)
	return first, c.Err
}

// storedTooOften is more versions than a chain has.
const storedTooOften = math.MaxInt / 2

// StoreAnew lets the chain begin again with the next delta, which has all counters, whether or not one has changed.
func (n *Counts) StoreAnew() { n.chain.versions = storedTooOften }

// EncodeChanges returns the delta with what has changed since the last one, nil if nothing has, and the range [from, to) of
// deltas that are void once it is stored. All changes count as stored then. It must be called between two records.
func (n *Counts) EncodeChanges() (number uint64, delta []byte, from, to uint64) {
	h := &n.chain
	if h.next > 0 && h.versions < storedTooOften && n.minutes.turn == n.minutes.stored && n.bindings.turn == n.bindings.stored {
		return 0, nil, 0, 0
	}
	minutes, bindings := n.minutes.since(n.minutes.stored), n.bindings.since(n.bindings.stored)
	live := len(n.minutes.index) + len(n.bindings.index)
	from = h.first
	if h.next == 0 || h.versions+len(minutes)+len(bindings) > storedPerCounter*live+storedSlack {
		minutes, bindings = n.minutes.since(0), n.bindings.since(0)
		h.next = max(h.next, 1)
		if from == 0 {
			from = h.next
		}
		h.first, h.versions = h.next, 0
	}
	h.versions += len(minutes) + len(bindings)
	c := &h.coder
	c.StartWriting(h.value[:0], wire.KindState, Version)
	c.Uint(&h.first)
	c.Int(&n.included)
	codeEntries(c, &minutes, codeMinute)
	codeEntries(c, &bindings, codeBinding)
	h.value = c.Bytes()
	n.minutes.stored, n.bindings.stored = n.minutes.turn, n.bindings.turn
	number = h.next
	h.next++
	return number, bytes.Clone(h.value), from, h.first
}

// Restore decodes counters from the deltas of a chain that are not void, in the order of their numbers.
func Restore(part int32, deltas ...[]byte) (*Counts, error) {
	return restore(New(part, -1), deltas...)
}

func restore(n *Counts, deltas ...[]byte) (*Counts, error) {
	minutes, bindings := map[minuteKey]entry[minuteKey, schema.Counters]{}, map[bindingKey]entry[bindingKey, uint64]{}
	for _, delta := range deltas {
		c, err := wire.NewReader(delta, wire.KindState, Version)
		if err != nil {
			return nil, err
		}
		var first uint64
		var m []entry[minuteKey, schema.Counters]
		var b []entry[bindingKey, uint64]
		c.Uint(&first)
		c.Int(&n.included)
		codeEntries(c, &m, codeMinute)
		codeEntries(c, &b, codeBinding)
		if c.Err == nil && c.Rest() != 0 {
			c.Refuse("bytes after the last counter")
		}
		if c.Err != nil {
			return nil, fmt.Errorf("counters: %w", c.Err)
		}
		for _, e := range m {
			minutes[e.key] = e
		}
		for _, e := range b {
			bindings[e.key] = e
		}
	}
	n.minutes.restore(minutes)
	n.bindings.restore(bindings)
	return n, nil
}

// codeEntries encodes or decodes a list of counters in the order of their last calls.
func codeEntries[K comparable, V any](c *wire.Coder, list *[]entry[K, V], code func(*wire.Coder, *entry[K, V])) {
	n := len(*list)
	c.Len(&n, 5)
	if !c.Encoding {
		*list = make([]entry[K, V], n)
	}
	turn := uint64(0)
	for i := range *list {
		e := &(*list)[i]
		later := e.turn - turn
		c.Uint(&later)
		turn += later
		e.turn = turn
		c.Int(&e.segment)
		code(c, e)
	}
}

func codeMinute(c *wire.Coder, e *entry[minuteKey, schema.Counters]) {
	c.Word(0, &e.key.tenant)
	c.Int(&e.key.minute)
	codeCounters(c, &e.value)
}

func codeBinding(c *wire.Coder, e *entry[bindingKey, uint64]) {
	c.Word(0, &e.key.tenant)
	c.Word(1, &e.key.producer)
	c.Word(2, &e.key.format)
	c.Int(&e.key.hour)
	wire.Small(c, &e.key.rule)
	c.Uint(&e.value)
}

// codeCounters encodes or decodes counters; those that are 0 take one bit.
func codeCounters(c *wire.Coder, n *schema.Counters) {
	var used uint32
	list := fields(n)
	if c.Encoding {
		for i, f := range list {
			if *f != 0 {
				used |= 1 << i
			}
		}
	}
	wire.Num(c, &used)
	if used>>len(list) != 0 {
		c.Refuse("a counter that does not exist")
		return
	}
	for i, f := range list {
		if used>>i&1 != 0 {
			c.Uint(f)
		}
	}
}

// fields returns the counters in the order in which they are stored: a further one comes last.
func fields(n *schema.Counters) []*uint64 {
	out := make([]*uint64, 0, 24)
	for i := range n.Outcomes {
		out = append(out, &n.Outcomes[i])
	}
	for i := range n.Done {
		out = append(out, &n.Done[i])
	}
	return append(out, &n.BytesOut, &n.TokensIn, &n.TokensOut)
}
