package learn

import (
	"cmp"
	"maps"
	"slices"
)

// Limits on how many runs of an agent's day are learned from. With them, ten thousand runs in one night change the
// baseline at most twice as much as a usual day, and make up at most a quarter of a full sample of an agent's runs.
const (
	// MaxRunsPerDay is the maximum number of runs of a day, out of the default 200 runs of an agent.
	MaxRunsPerDay = 50
	// usualDays limits a day to this many times the number of runs of a usual day. A usual day is the median of the
	// agent's other days with runs.
	usualDays = 2
	// minRunsPerDay is always allowed, because an agent that runs once a day may begin to run more often.
	minRunsPerDay = 10
)

// sampleDays selects the runs of an agent to learn from: up to maxRunsOfDay of each day, and of these the newest, at
// most `most`. It returns how many runs exceeded the limit of their day (dayFull), and how many were
// then more than needed (enough).
func sampleDays(days map[uint16]*Day, most int) (picked []StoredRun, dayFull, enough uint64) {
	total := uint64(0)
	for _, day := range slices.Sorted(maps.Keys(days)) {
		d := days[day]
		total += d.Runs
		may := min(int(min(d.Runs, MaxRunsPerDay)), maxRunsOfDay(days, day))
		dayFull += d.Runs - uint64(may)
		some := slices.Clone(d.Sample)
		slices.SortFunc(some, func(a, b StoredRun) int { return cmp.Or(cmp.Compare(a.Hash, b.Hash), cmp.Compare(a.ID, b.ID)) })
		some = some[:min(len(some), may)]
		picked = append(picked, some...)
	}
	slices.SortFunc(picked, func(a, b StoredRun) int { return cmp.Or(cmp.Compare(b.At, a.At), cmp.Compare(a.ID, b.ID)) })
	picked = picked[:min(len(picked), most)]
	return picked, dayFull, total - dayFull - uint64(len(picked))
}

// maxRunsOfDay returns the maximum number of runs of a day that are learned from.
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

// wantSamples calls want with the runs that sampleDays needs to select at most so many: those that a day may teach, of
// the newest days.
func wantSamples(days map[uint16]*Day, most int, want func(sliceHash)) {
	n := 0
	for _, day := range slices.Backward(slices.Sorted(maps.Keys(days))) {
		if n >= most {
			return
		}
		d := days[day]
		of := d.hashes[:min(len(d.hashes), maxRunsOfDay(days, day))]
		for _, w := range of {
			want(w)
		}
		n += len(of)
	}
}
