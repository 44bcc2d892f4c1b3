package sharedcredential

import (
	"math"
	"slices"
)

// Tail is the distribution of the highest scores of people's sessions, counted
// in steps.
type Tail struct {
	Sessions int   `json:"sessions"`
	Counts   []int `json:"counts"` // by step, from minScore on
}

const (
	step     = .1
	minScore = -4 * maxFeatureWeight // the score has four terms
	steps    = 129                   // 8·maxFeatureWeight/step, rounded up
)

func stepIndex(score float64) int {
	if math.IsNaN(score) {
		return 0
	}
	// The small addend keeps a score in the same step when rounding differs with the order of sums.
	return max(0, min(steps-1, int(math.Floor((score-minScore)/step+1e-9))))
}

// consistent reports whether the counts sum up to the number of sessions and none is negative.
func (t *Tail) consistent() bool {
	return len(t.Counts) == steps && slices.Min(t.Counts) >= 0 && total(t.Counts) == t.Sessions
}

// add counts the highest score of a session.
func (t *Tail) add(highest float64) {
	if t.Counts == nil {
		t.Counts = make([]int, steps)
	}
	t.Counts[stepIndex(highest)]++
	t.Sessions++
}

// p returns a conformal p-value (Vovk, Gammerman and Shafer 2005): the share of
// people's sessions that reach a score, with the scored session included. For
// a session of a person like the counted ones, p ≤ a with probability at most a.
func (t *Tail) p(score float64) float64 {
	n := 0
	for i := stepIndex(score); i < len(t.Counts); i++ {
		n += t.Counts[i]
	}
	return float64(1+n) / float64(1+t.Sessions)
}
