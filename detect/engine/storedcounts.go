package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"flyball/detect/curve"
)

// addCounts adds a delta of the partition's counters.
func (r *restored) addCounts(generation uint64, number string, value []byte) error {
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return fmt.Errorf("counters: the number of their delta %q is none", number)
	}
	at := slices.IndexFunc(r.counts, func(s *storedActor) bool { return s.generation == generation })
	if at < 0 {
		at = len(r.counts)
		r.counts = append(r.counts, &storedActor{generation: generation})
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
	s.add(n, value, true, first)
	return nil
}

// newestCounts decodes the counters of the newest owner that has stored them as a whole; nil: there are none. keys are the keys of
// all owners.
func (r *restored) newestCounts(part int32) (counts *curve.Counts, keys []string, err error) {
	slices.SortFunc(r.counts, func(x, y *storedActor) int { return cmp.Compare(y.generation, x.generation) })
	for _, s := range r.counts {
		for n := range s.deltas {
			keys = append(keys, string(countsKey(s.generation, n)))
		}
		if values, complete := s.values(); complete && counts == nil {
			if counts, err = curve.Restore(part, values...); err != nil {
				return nil, nil, err
			}
		}
	}
	return counts, keys, nil
}
