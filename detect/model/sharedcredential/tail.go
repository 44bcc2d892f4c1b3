package sharedcredential

import (
	"math"
	"slices"
)

// Tail is the distribution of the highest scores of people's sessions, counted
// in steps.
type Tail struct {
	Sessions int   `json:"sessions"`
	Counts   []int `json:"counts"` // by step, from the lowest score that there is
}

const (
	step     = .1
	minScore = -4 * maxFeatureWeight // the score has four terms
	steps    = 129                   // 8·Cap/step, rounded up
)

func stepIndex(score float64) int {
	if math.IsNaN(score) {
		return 0
	}
	// The small amount keeps a score on its side of an edge whatever the order of sums.
	return max(0, min(steps-1, int(math.Floor((score-minScore)/step+1e-9))))
}

// consistent reports whether the counts are those of the sessions.
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

// p is a conformal p-value (Vovk, Gammerman and Shafer 2005): the share of
// people's sessions that come as far, the one in question counted among them. For
// a session of a person like those counted, P ≤ a with probability at most a.
func (t *Tail) p(score float64) float64 {
	n := 0
	for i := stepIndex(score); i < len(t.Counts); i++ {
		n += t.Counts[i]
	}
	return float64(1+n) / float64(1+t.Sessions)
}
