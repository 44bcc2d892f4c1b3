package feature

import "flyball/schema/wire"

// boundedMap maps hashes to counts. When it is full, a new entry replaces the oldest. Most runs are short: few
// entries are searched one by one, and only a map with indexFrom entries gets an index.
type boundedMap struct {
	entries []entry
	index   *mapIndex // from indexFrom entries on
}

// mapIndex finds the entries of a large boundedMap: a table with linear probing, at most half full. A slot holds the index of
// an entry plus one; 0: none. It takes an eighth of the memory of a Go map and has no pointers.
type mapIndex struct {
	slots []uint16 // a power of two of them
	next  uint32   // index that is reused next when full
}

// home returns the slot at which the search for a hash begins.
func (x *mapIndex) home(h uint64) int {
	return int(h * 0x9e3779b97f4a7c15 >> 32 & uint64(len(x.slots)-1))
}

// slot returns the slot of a hash, or the empty slot where it would be.
func (x *mapIndex) slot(entries []entry, h uint64) int {
	i := x.home(h)
	for x.slots[i] != 0 && entries[x.slots[i]-1].hash != h {
		i = (i + 1) & (len(x.slots) - 1)
	}
	return i
}

// remove empties the slot of a hash, and moves back what was put behind it because of it.
func (x *mapIndex) remove(entries []entry, h uint64) {
	mask := len(x.slots) - 1
	hole := x.slot(entries, h)
	for i := (hole + 1) & mask; x.slots[i] != 0; i = (i + 1) & mask {
		if home := x.home(entries[x.slots[i]-1].hash); (i-home)&mask >= (i-hole)&mask {
			x.slots[hole] = x.slots[i]
			hole = i
		}
	}
	x.slots[hole] = 0
}

type entry struct {
	hash  uint64
	value uint64
}

const (
	indexFrom = 24
	// growBy is how many entries are allocated at a time below indexFrom, to save memory: most runs are short.
	growBy = 4
)

func (m *boundedMap) find(h uint64) int32 {
	if m.index != nil {
		return int32(m.index.slots[m.index.slot(m.entries, h)]) - 1
	}
	for i := range m.entries {
		if m.entries[i].hash == h {
			return int32(i)
		}
	}
	return -1
}

func (m *boundedMap) get(h uint64) (uint64, bool) {
	if at := m.find(h); at >= 0 {
		return m.entries[at].value, true
	}
	return 0, false
}

// add adds n to the value of a hash and returns the sum. most is the maximum number of entries.
func (m *boundedMap) add(h, n uint64, most int) uint64 {
	if at := m.find(h); at >= 0 {
		m.entries[at].value += n
		return m.entries[at].value
	}
	m.insert(h, n, most)
	return n
}

func (m *boundedMap) set(h, v uint64, most int) {
	if at := m.find(h); at >= 0 {
		m.entries[at].value = v
		return
	}
	m.insert(h, v, most)
}

func (m *boundedMap) insert(h, v uint64, most int) {
	at := int32(len(m.entries))
	if len(m.entries) < most {
		if n := len(m.entries); n == cap(m.entries) {
			more := n + growBy
			if n >= indexFrom {
				more = min(2*n, most)
			}
			m.entries = append(make([]entry, 0, more), m.entries...)
		}
		m.entries = append(m.entries, entry{h, v})
	} else { // most is more than indexFrom
		at = int32(m.index.next)
		m.index.next = (m.index.next + 1) % uint32(most)
		m.index.remove(m.entries, m.entries[at].hash)
		m.entries[at] = entry{h, v}
	}
	switch n := len(m.entries); {
	case n < indexFrom:
	case m.index == nil || 2*n > len(m.index.slots):
		m.reindex()
	default:
		m.index.slots[m.index.slot(m.entries, h)] = uint16(at + 1)
	}
}

// reindex builds the index with room for as many entries again.
func (m *boundedMap) reindex() {
	size := 64
	for size < 4*len(m.entries) && size < 2*maxResources {
		size *= 2
	}
	x := &mapIndex{slots: make([]uint16, size)}
	if m.index != nil {
		x.next = m.index.next
	}
	for i := range m.entries {
		x.slots[x.slot(m.entries, m.entries[i].hash)] = uint16(i + 1)
	}
	m.index = x
}

func (m *boundedMap) code(c *wire.Coder, most int) {
	n, next := len(m.entries), uint32(0)
	if m.index != nil {
		next = m.index.next
	}
	c.Len(&n, 9)
	wire.Num(c, &next)
	if !c.Encoding {
		if n > most || int(next) >= most {
			c.Refuse("a run's memory that is larger than its bound")
			return
		}
		if m.index = nil; n > cap(m.entries) {
			m.entries = make([]entry, n)
		}
		m.entries = m.entries[:n]
	}
	for i := range m.entries {
		c.Fixed64(&m.entries[i].hash)
		c.Uint(&m.entries[i].value)
	}
	if !c.Encoding && n >= indexFrom {
		m.reindex()
		m.index.next = next
	}
}
