package feature

import "flyball/schema/topic"

// memory maps hashes to counts and forgets the oldest beyond a bound. Most
// runs are short: a few entries are searched one by one, and only a run that
// has many gets an index.
type memory struct {
	entries []entry
	index   map[uint64]int32 // hash to place, from indexFrom entries on
	next    uint32           // place to be reused when full
}

type entry struct {
	hash  uint64
	value uint64
}

const indexFrom = 24

func (m *memory) find(h uint64) int32 {
	if m.index != nil {
		if at, ok := m.index[h]; ok {
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

func (m *memory) get(h uint64) (uint64, bool) {
	if at := m.find(h); at >= 0 {
		return m.entries[at].value, true
	}
	return 0, false
}

// add adds to the value of a hash and returns it.
func (m *memory) add(h, n uint64, most int) uint64 {
	if at := m.find(h); at >= 0 {
		m.entries[at].value += n
		return m.entries[at].value
	}
	m.insert(h, n, most)
	return n
}

func (m *memory) set(h, v uint64, most int) {
	if at := m.find(h); at >= 0 {
		m.entries[at].value = v
		return
	}
	m.insert(h, v, most)
}

func (m *memory) insert(h, v uint64, most int) {
	at := int32(len(m.entries))
	if len(m.entries) < most {
		m.entries = append(m.entries, entry{h, v})
	} else {
		at = int32(m.next)
		m.next = (m.next + 1) % uint32(most)
		if m.index != nil {
			delete(m.index, m.entries[at].hash)
		}
		m.entries[at] = entry{h, v}
	}
	switch {
	case m.index != nil:
		m.index[h] = at
	case len(m.entries) >= indexFrom:
		m.reindex()
	}
}

func (m *memory) reindex() {
	m.index = make(map[uint64]int32, 2*len(m.entries))
	for i := range m.entries {
		m.index[m.entries[i].hash] = int32(i)
	}
}

func (m *memory) code(c *topic.Coder, most int) {
	n := len(m.entries)
	c.Len(&n, 9)
	topic.Num(c, &m.next)
	if !c.Encoding {
		if n > most || int(m.next) >= most {
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
		m.reindex()
	}
}
