package baseline

import (
	"maps"
	"math"
	"slices"
)

// The variance between the means of populations has an inverse-gamma prior with the weight of betweenPriorGroups
// groups at (betweenPriorSD)²: with few groups it cannot be smaller than betweenPriorGroups·betweenPriorSD² /
// (betweenPriorGroups + groups − 1), however alike they are.
const (
	betweenPriorGroups = 3
	betweenPriorSD     = math.Ln2 // populations differ by a factor of two
	// minMeanRuns is the minimum number of runs of a group whose mean counts.
	minMeanRuns = 10
)

// ForStranger returns the distribution of the logarithm of the amount for a run of a population that is not in the
// baseline: the predictive distribution of a random-effects model in which every group has a mean of its own (DerSimonian
// and Laird 1986, with the prior above on the variance between groups). Every group has the same weight. minSD is the
// minimum of the standard deviation.
func (a *Amount) ForStranger(minSD float64) LogNormal {
	var means []float64
	within := 0.0
	for _, group := range slices.Sorted(maps.Keys(a.Groups)) { // sorted, so that sums are reproducible
		m := a.Groups[group]
		if m.N < minMeanRuns {
			continue
		}
		mean := m.Sum / m.N
		means = append(means, mean)
		within += max(m.Sum2/m.N-mean*mean, 0)
	}
	n := float64(len(means))
	if n == 0 {
		mean, variance := a.everybody()
		return LogNormal{mean, max(math.Sqrt(variance+betweenPriorSD*betweenPriorSD), minSD)}
	}
	mean, squares := 0.0, betweenPriorGroups*betweenPriorSD*betweenPriorSD
	for _, m := range means {
		mean += m / n
	}
	for _, m := range means {
		squares += (m - mean) * (m - mean)
	}
	between := squares / (betweenPriorGroups + n - 1)
	return LogNormal{mean, max(math.Sqrt(within/n+between*(1+1/n)), minSD)}
}
