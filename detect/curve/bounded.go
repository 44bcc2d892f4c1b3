package curve

import (
	"cmp"
	"slices"
)

// bounded is a map of counters that is in order of their last calls. After each record of flyball.calls it has at most limit
// counters.
type bounded[K comparable, V any] struct {
	limit   int
	own     func(key, like K) K // returns a key whose strings alias no record; like is the key of another counter
	index   map[K]int32
	entries []entry[K, V]
	free    []int32
	newest  int32 // -1: there is none
	oldest  int32
	turn    uint64 // of the last call
	stored  uint64 // highest turn that is stored
	written uint64 // highest turn whose rows are written
	given   []entry[K, V]
}

// entry is a counter.
type entry[K comparable, V any] struct {
	key          K
	value        V
	segment      int64  // offset of the record of the first call
	turn         uint64 // of the last call
	newer, older int32
}

func newBounded[K comparable, V any](limit int, own func(key, like K) K) bounded[K, V] {
	return bounded[K, V]{limit: limit, own: own, index: map[K]int32{}, newest: -1, oldest: -1}
}

// touch returns the counter of a key, to count a call of the record at an offset.
func (b *bounded[K, V]) touch(key K, offset int64) *V {
	b.turn++
	if b.newest >= 0 && b.entries[b.newest].key == key {
		b.entries[b.newest].turn = b.turn
		return &b.entries[b.newest].value
	}
	at, known := b.index[key]
	if known {
		b.unlink(at)
	} else {
		var like K
		if b.newest >= 0 {
			like = b.entries[b.newest].key
		}
		at = b.place(entry[K, V]{key: b.own(key, like), segment: offset})
	}
	b.entries[at].turn = b.turn
	b.linkNewest(at)
	return &b.entries[at].value
}

// place stores a new entry outside the order.
func (b *bounded[K, V]) place(e entry[K, V]) (at int32) {
	if n := len(b.free); n > 0 {
		at, b.free = b.free[n-1], b.free[:n-1]
		b.entries[at] = e
	} else {
		at = int32(len(b.entries))
		b.entries = append(b.entries, e)
	}
	b.index[e.key] = at
	return at
}

func (b *bounded[K, V]) unlink(at int32) {
	e := &b.entries[at]
	if e.newer >= 0 {
		b.entries[e.newer].older = e.older
	} else {
		b.newest = e.older
	}
	if e.older >= 0 {
		b.entries[e.older].newer = e.newer
	} else {
		b.oldest = e.newer
	}
}

func (b *bounded[K, V]) linkNewest(at int32) {
	e := &b.entries[at]
	e.newer, e.older = -1, b.newest
	if b.newest >= 0 {
		b.entries[b.newest].newer = at
	} else {
		b.oldest = at
	}
	b.newest = at
}

// trim gives up the counters above the limit. Those with calls that are not written yet are kept until they are.
func (b *bounded[K, V]) trim() {
	for len(b.index) > b.limit {
		at := b.oldest
		e := b.entries[at]
		b.unlink(at)
		delete(b.index, e.key)
		b.entries[at] = entry[K, V]{}
		b.free = append(b.free, at)
		if e.turn > b.written {
			b.given = append(b.given, e)
		}
	}
	if cap(b.entries) > 2*b.limit+64 && len(b.free) > b.limit { // a record had very many
		b.rebuild()
	}
}

// rebuild copies the entries, so that the memory of given up ones is freed.
func (b *bounded[K, V]) rebuild() {
	kept := b.since(0)
	b.index, b.entries, b.free, b.newest, b.oldest = make(map[K]int32, b.limit), nil, nil, -1, -1
	for _, e := range kept {
		b.linkNewest(b.place(e))
	}
}

// since returns the counters with calls after a turn, in the order of their last calls.
func (b *bounded[K, V]) since(turn uint64) (out []entry[K, V]) {
	for at := b.newest; at >= 0 && b.entries[at].turn > turn; at = b.entries[at].older {
		out = append(out, b.entries[at])
	}
	slices.Reverse(out)
	return out
}

// write calls f for the counters whose calls are not all written, and notes that they are.
func (b *bounded[K, V]) write(f func(*entry[K, V])) {
	for i := range b.given {
		f(&b.given[i])
	}
	clear(b.given)
	b.given = b.given[:0]
	for at := b.newest; at >= 0 && b.entries[at].turn > b.written; at = b.entries[at].older {
		f(&b.entries[at])
	}
	b.written = b.turn
}

// restore replaces the counters by stored ones: of each key the newest, up to the limit.
func (b *bounded[K, V]) restore(stored map[K]entry[K, V]) {
	list := make([]entry[K, V], 0, len(stored))
	for _, e := range stored {
		list = append(list, e)
	}
	slices.SortFunc(list, func(x, y entry[K, V]) int { return cmp.Compare(x.turn, y.turn) })
	var like K
	for _, e := range list[max(0, len(list)-b.limit):] {
		e.key = b.own(e.key, like)
		like = e.key
		b.linkNewest(b.place(e))
		b.turn = e.turn
	}
	b.stored, b.written = b.turn, b.turn
}
