package baseline

import "math"

// RunCountDistribution says how far runs came in a count that only grows: of everybody, of a
// peer group, and within a group of whatever the count is kept by, an agent or a
// route.
type RunCountDistribution struct {
	All    RunCounts                       `json:"all"`
	Groups map[string]RunCounts            `json:"groups"`
	Within map[string]map[string]RunCounts `json:"within"` // group; agent or route name
}

// RunCounts[n] is how many runs came to n and no further. Runs that came further
// than it has room for stand in its last place: they came there, and how far they
// went on is not known.
type RunCounts []float64

const maxReached = 256

func newDistribution() RunCountDistribution {
	return RunCountDistribution{Groups: map[string]RunCounts{}, Within: map[string]map[string]RunCounts{}}
}

func (r RunCounts) add(n uint64) RunCounts {
	n = min(n, maxReached-1)
	for uint64(len(r)) <= n {
		r = append(r, 0)
	}
	r[n]++
	return r
}

// Add counts the final count of a run.
func (f *RunCountDistribution) Add(group, of string, n uint64) {
	f.All = f.All.add(n)
	f.Groups[group] = f.Groups[group].add(n)
	within := f.Within[group]
	if within == nil {
		within = map[string]RunCounts{}
		f.Within[group] = within
	}
	within[of] = within[of].add(n)
}

// Empty reports that no run was counted: nothing is known.
func (f *RunCountDistribution) Empty() bool { return len(f.All) == 0 }

// Levels are the counts to be shrunk towards one another, the widest first.
func (f *RunCountDistribution) Levels(group, of string) [3]RunCounts {
	return [3]RunCounts{f.All, f.Groups[group], f.Within[group][of]}
}

const (
	// levelPseudoRuns is what the wider level weighs in each step of a narrower one.
	levelPseudoRuns = 10
	// assumedExponent is the exponent of the tail that is assumed where nobody has been:
	// P(N ≥ 2n | N ≥ n) = 2^−6.
	assumedExponent = 6
)

// MinusLogTails appends −ln P(N ≥ n) for n = len(tails) … to−1 to tails, which is
// empty or what it returned before. The tail is the product of the probabilities
// of one step more (Kaplan and Meier 1958): of the runs that came to n, the share
// that went on, under a beta prior worth ten runs at the wider level's share. The
// widest level's prior is a power law, so that what nobody has done is rare and
// not impossible; and since the runs of a narrow level are among those of the wide
// ones, all levels together say no more than half a run in as many as the widest has.
// Runs in the last place are censored there: they say nothing of what lies beyond.
func MinusLogTails(levels [3]RunCounts, tails []float64, to int) []float64 {
	if len(tails) == 0 {
		tails = append(tails, 0)
	}
	// came[l][n] is how many runs of a level came to n, summed from the far end: where
	// few are left the sum is theirs and not what a subtraction left of all.
	var came [3][maxReached + 1]float64
	for l, r := range levels {
		for n := min(len(r), maxReached) - 1; n >= 0; n-- {
			came[l][n] = came[l][n+1] + r[n]
		}
	}
	for n := len(tails); n < to; n++ {
		k := float64(n - 1)
		p, least := math.Pow((k+.5)/(k+1.5), assumedExponent), 0.0
		for l := range levels {
			risk, on := 0.0, 0.0
			if n < maxReached {
				risk, on = came[l][n-1], came[l][n]
			}
			if l == 0 {
				least = share(.5, risk+1)
			}
			p = share(on+levelPseudoRuns*p, risk+levelPseudoRuns)
		}
		tails = append(tails, tails[n-1]-math.Log(max(p, least)))
	}
	return tails
}

// share of runs that went on, as a logarithm can be taken of it; what is no share
// says nothing.
func share(on, of float64) float64 {
	p := on / of
	if !(p >= 0 && p <= 1) {
		return 1
	}
	return max(p, math.SmallestNonzeroFloat64)
}

// ExtrapolateTail is −ln P(N ≥ n) past the last of tails, by the tail that is assumed there.
func ExtrapolateTail(tails []float64, n uint64) float64 {
	last := len(tails) - 1
	return tails[last] + assumedExponent*math.Log((float64(n)+.5)/(float64(last)+.5))
}

// Median is the median count of a level's runs; ok is false where there are none.
func (r RunCounts) Median() (n int, ok bool) {
	total := 0.0
	for _, runs := range r {
		total += runs
	}
	sum := 0.0
	for n, runs := range r {
		if sum += runs; total > 0 && sum >= total/2 {
			return n, true
		}
	}
	return 0, false
}
