package baseline

import "math"

// RunCountDistribution holds the distribution of the final value of a count over runs: for all runs, by
// peer group, and within a group by agent or by route.
type RunCountDistribution struct {
	All    RunCounts                       `json:"all"`
	Groups map[string]RunCounts            `json:"groups"`
	Within map[string]map[string]RunCounts `json:"within"` // group; agent or route name
}

// RunCounts[n] is the number of runs whose final count is n. The last possible index, maxReached−1, also holds all runs
// with higher counts, whose final count is not known.
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

// Empty reports whether no run was counted.
func (f *RunCountDistribution) Empty() bool { return len(f.All) == 0 }

// Levels returns the counts of all runs, of the group and within the group, for MinusLogTails.
func (f *RunCountDistribution) Levels(group, of string) [3]RunCounts {
	return [3]RunCounts{f.All, f.Groups[group], f.Within[group][of]}
}

const (
	// levelPseudoRuns is the weight of the wider level as the prior of a narrower one, in runs.
	levelPseudoRuns = 10
	// assumedExponent is the exponent of the tail that is assumed where there are no runs:
	// P(N ≥ 2n | N ≥ n) = 2^−6.
	assumedExponent = 6
)

// MinusLogTails appends −ln P(N ≥ n) for n = len(tails) … to−1 to tails, which is
// empty or an earlier result. The tail is the product of conditional probabilities
// (Kaplan and Meier 1958): the share of the runs with at least n−1 that have at least n, under a beta prior with the
// weight of levelPseudoRuns runs at the share of the wider level. The
// prior of the widest level is a power law, so that a count without runs is rare and
// not impossible. The runs of a narrow level are also in the wide
// ones; therefore no conditional probability is lower than half a run in the number of runs of the widest level.
// Runs at the last index are censored: they do not change the tail beyond it.
func MinusLogTails(levels [3]RunCounts, tails []float64, to int) []float64 {
	if len(tails) == 0 {
		tails = append(tails, 0)
	}
	// came[l][n] is the number of runs of level l with at least n, summed from the largest n down, which is more precise
	// for small sums than a subtraction from the total.
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

// share returns on/of, at least the smallest positive number so that it has a logarithm. It returns 1 when the result is
// not between 0 and 1.
func share(on, of float64) float64 {
	p := on / of
	if !(p >= 0 && p <= 1) {
		return 1
	}
	return max(p, math.SmallestNonzeroFloat64)
}

// ExtrapolateTail returns −ln P(N ≥ n) for an n beyond tails, by the assumed tail.
func ExtrapolateTail(tails []float64, n uint64) float64 {
	last := len(tails) - 1
	return tails[last] + assumedExponent*math.Log((float64(n)+.5)/(float64(last)+.5))
}

// Median returns the median count of the runs. ok is false when there are no runs.
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
