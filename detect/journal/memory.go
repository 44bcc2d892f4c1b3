package journal

import (
	"hash/maphash"
	"math/bits"
)

// memory remembers which rows were written lately, as 64-bit hashes with a secret seed, so that a caller cannot choose values
// whose hashes are equal. It has two generations. When the newer one is full, the older one is forgotten: its rows are written
// again, and the tables merge them. Two rows have the same hash with a probability of 1 in 10^14 for each row added.
type memory struct {
	seed  maphash.Seed
	newer hashSet
	older hashSet
	rows  int // capacity of a generation
}

func newMemory(rows int) memory { return memory{seed: maphash.MakeSeed(), rows: rows} }

// bytes returns the maximum size of the memory.
func (m *memory) bytes() int { return 2 * 8 * slotsOf(m.rows) }

// hash returns the hash of a text.
func (m *memory) hash(text string) uint64 { return maphash.String(m.seed, text) }

// mix returns a hash of two hashes, or of a hash and a number.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xd1b54a32d192ed03)
	return hi ^ lo
}

// add adds a hash, and reports whether it is new.
func (m *memory) add(hash uint64) bool {
	if m.newer.has(hash) {
		return false
	}
	known := m.older.has(hash)
	if m.newer.n >= m.rows {
		m.newer, m.older = m.older, m.newer
		m.newer.clear()
	}
	m.newer.insert(hash, m.rows)
	return !known
}

// hashSet is a set of hashes: a table in which at most half of the slots are used. The hash 0 counts as 1.
type hashSet struct {
	slots []uint64
	n     int
}

// slotsOf returns the number of slots of a set with room for some rows, which is a power of two.
func slotsOf(rows int) int { return 1 << bits.Len(uint(2*rows-1)) }

func (s *hashSet) has(hash uint64) bool {
	if s.n == 0 {
		return false
	}
	hash = max(hash, 1)
	for i := hash; ; i++ {
		switch s.slots[i&uint64(len(s.slots)-1)] {
		case hash:
			return true
		case 0:
			return false
		}
	}
}

// insert adds a hash that the set does not have. The table is allocated for all rows at the first one.
func (s *hashSet) insert(hash uint64, rows int) {
	if s.slots == nil {
		s.slots = make([]uint64, slotsOf(rows))
	}
	hash = max(hash, 1)
	i := hash
	for s.slots[i&uint64(len(s.slots)-1)] != 0 {
		i++
	}
	s.slots[i&uint64(len(s.slots)-1)] = hash
	s.n++
}

func (s *hashSet) clear() {
	clear(s.slots)
	s.n = 0
}
