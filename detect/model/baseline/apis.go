package baseline

import (
	"cmp"
	"maps"
	"slices"
)

// KnownAPIs counts the runs that called an API (feature.Input.API), by peer group. APIs of too few runs are left out.
type KnownAPIs map[string]map[uint64]float64

const (
	// minAPIRuns is the number of runs of a peer group from which an API is known, as MinAgentRuns for agents.
	minAPIRuns = MinAgentRuns
	// maxAPIs is the maximum number of APIs of a group; those of the most runs are kept.
	maxAPIs = 1000
	// maxCountedAPIs limits the APIs of a group while a baseline is learned, because a caller can invent them.
	maxCountedAPIs = 10_000
)

func (k KnownAPIs) add(r *TrainingRun) {
	of := k[r.Group]
	if of == nil {
		of = map[uint64]float64{}
		k[r.Group] = of
	}
	seen := map[uint64]bool{}
	for i := range r.Features {
		api := r.Features[i].API
		if _, counted := of[api]; api == 0 || seen[api] || !counted && len(of) == maxCountedAPIs {
			continue
		}
		seen[api] = true
		of[api]++
	}
}

// finish removes the APIs of too few runs.
func (k KnownAPIs) finish() {
	for group, of := range k {
		list := slices.Collect(maps.Keys(of))
		slices.SortFunc(list, func(a, b uint64) int { return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b)) })
		for i, api := range list {
			if i >= maxAPIs || of[api] < minAPIRuns {
				delete(of, api)
			}
		}
		if len(of) == 0 {
			delete(k, group)
		}
	}
}

// Knows reports whether an API is known of a peer group. It is true for groups of which no API is known, and for a call
// without an API: nothing is known to be different there.
func (k KnownAPIs) Knows(group string, api uint64) bool {
	of := k[group]
	return len(of) == 0 || api == 0 || of[api] > 0
}
