package engine

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"flyball/detect/curve"
)

// storedCounts is what one owner has stored of the partition's counters.
type storedCounts struct {
	generation  uint64
	deltas      map[uint64][]byte // by number; nil: void
	first, last uint64            // of the deltas that are not void; 0: none
}

// add adds a delta; first is the lowest number of those that are not void.
func (s *storedCounts) add(number uint64, value []byte, first uint64) {
	s.deltas[number] = bytes.Clone(value)
	if number < s.last {
		return
	}
	s.last, s.first = number, first
	for n := range s.deltas {
		if n < first {
			s.deltas[n] = nil // its key is still there
		}
	}
}

// values returns the values of the deltas, complete is false if they are not whole.
func (s *storedCounts) values() (values [][]byte, complete bool) {
	for n := s.first; n <= s.last; n++ {
		if s.deltas[n] == nil {
			return nil, false
		}
		values = append(values, s.deltas[n])
	}
	return values, s.last > 0
}

// addCounts adds a delta of the partition's counters.
func (r *restored) addCounts(generation uint64, number string, value []byte) error {
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return fmt.Errorf("counters: the number of their delta %q is none", number)
	}
	at := slices.IndexFunc(r.counts, func(s *storedCounts) bool { return s.generation == generation })
	if at < 0 {
		at = len(r.counts)
		r.counts = append(r.counts, &storedCounts{generation: generation, deltas: map[uint64][]byte{}})
	}
	s := r.counts[at]
	if value == nil {
		delete(s.deltas, n)
		return nil
	}
	first, err := curve.First(value)
	if err != nil {
		return fmt.Errorf("counters: %w", err)
	}
	r.newest = max(r.newest, generation)
	s.add(n, value, first)
	return nil
}

// newestCounts decodes the counters that include most of those that an owner has stored as a whole; nil: there are none. keys are the
// keys of all owners. What the counters of an offset are does not depend on the owner. Those of a replaced owner that came further
// count: the entries of actors that it has stored beside them include as much, and a replay leaves these calls out.
func (r *restored) newestCounts(part int32) (counts *curve.Counts, keys []string, err error) {
	for _, s := range r.counts {
		for n := range s.deltas {
			keys = append(keys, string(countsKey(s.generation, n)))
		}
		values, complete := s.values()
		if !complete {
			continue
		}
		stored, err := curve.Restore(part, values...)
		if err != nil {
			return nil, nil, err
		}
		if counts == nil || stored.Included() > counts.Included() {
			counts = stored
		}
	}
	return counts, keys, nil
}
