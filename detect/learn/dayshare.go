package learn

import (
	"cmp"
	"maps"
	"slices"
)

// How much of what an agent did in one day may teach. Who sends ten thousand runs
// in a night so moves its baseline by no more than twice what a usual day does,
// and by no more than a quarter of what a full one rests on.
const (
	// MaxRunsPerDay is the most that a day teaches, of the default 200 runs of an agent.
	MaxRunsPerDay = 50
	// A day teaches at most so many times what a usual one has: the median of the
	// agent's other days on which it ran.
	usualDays = 2
	// But never fewer than this: an agent that runs once a day may run more often.
	minRunsPerDay = 10
)

// sampleDays picks the runs that teach of an agent: of each day its share, and of all
// days the newest runs up to a number. It says how many its days had no room for,
// and how many were more than needed.
func sampleDays(days map[uint16]*Day, most int) (picked []StoredRun, dayFull, enough uint64) {
	total := uint64(0)
	for _, day := range slices.Sorted(maps.Keys(days)) {
		d := days[day]
		total += d.Runs
		some := slices.Clone(d.Sample)
		slices.SortFunc(some, func(a, b StoredRun) int { return cmp.Or(cmp.Compare(a.Hash, b.Hash), cmp.Compare(a.ID, b.ID)) })
		some = some[:min(len(some), maxRunsOfDay(days, day))]
		dayFull += d.Runs - uint64(len(some))
		picked = append(picked, some...)
	}
	slices.SortFunc(picked, func(a, b StoredRun) int { return cmp.Or(cmp.Compare(b.At, a.At), cmp.Compare(a.ID, b.ID)) })
	picked = picked[:min(len(picked), most)]
	return picked, dayFull, total - dayFull - uint64(len(picked))
}

// maxRunsOfDay is how many runs of a day may teach.
func maxRunsOfDay(days map[uint16]*Day, day uint16) int {
	var others []uint64
	for other, d := range days {
		if other != day {
			others = append(others, d.Runs)
		}
	}
	if len(others) == 0 {
		return MaxRunsPerDay
	}
	slices.Sort(others)
	usual := others[len(others)/2]
	return int(min(max(usualDays*usual, minRunsPerDay), MaxRunsPerDay))
}
