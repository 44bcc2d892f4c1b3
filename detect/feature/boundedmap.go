package feature

import "flyball/schema/wire"

// boundedMap maps hashes to counts. When it is full, a new entry replaces the oldest. Most
// runs are short: few entries are searched one by one, and only a map with
// indexFrom entries gets an index.
type boundedMap struct {
	entries []entry
	index   *mapIndex // from indexFrom entries on
}

// mapIndex finds the entries of a large boundedMap.
type mapIndex struct {
	place map[uint64]int32 // hash to index in entries
	next  uint32           // index that is reused next when full
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
		if at, ok := m.index.place[h]; ok {
			return at
		}
		return -1
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
		if n := len(m.entries); n == cap(m.entries) && n < indexFrom {
			m.entries = append(make([]entry, 0, n+growBy), m.entries...)
		}
		m.entries = append(m.entries, entry{h, v})
	} else { // most is more than indexFrom
		at = int32(m.index.next)
		m.index.next = (m.index.next + 1) % uint32(most)
		delete(m.index.place, m.entries[at].hash)
		m.entries[at] = entry{h, v}
	}
	switch {
	case m.index != nil:
		m.index.place[h] = at
	case len(m.entries) >= indexFrom:
		m.reindex(0)
	}
}

func (m *boundedMap) reindex(next uint32) {
	m.index = &mapIndex{make(map[uint64]int32, 2*len(m.entries)), next}
	for i := range m.entries {
		m.index.place[m.entries[i].hash] = int32(i)
	}
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
		m.entries = make([]entry, n)
	}
	for i := range m.entries {
		c.Fixed64(&m.entries[i].hash)
		c.Uint(&m.entries[i].value)
	}
	if !c.Encoding && n >= indexFrom {
		m.reindex(next)
	}
}
