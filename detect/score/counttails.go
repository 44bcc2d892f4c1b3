package score

import "flyball/detect/model/baseline"

// tails are −ln P(N ≥ n) of a count, made as far as runs come.
type tails struct {
	levels [3]baseline.RunCounts
	made   []float64
}

// mostTails are made; what lies beyond follows the assumed tail.
const mostTails = 1024

func newTails(f *baseline.RunCountDistribution, group, of string) *tails {
	if f.Empty() {
		return nil
	}
	return &tails{levels: f.Levels(group, of)}
}

// at is −ln P(N ≥ n). Of a count that the baseline knows nothing of it is 0.
func (t *tails) at(n uint64) float64 {
	switch {
	case t == nil:
		return 0
	case n < uint64(len(t.made)):
		return t.made[n]
	case n < mostTails:
		t.made = baseline.MinusLogTails(t.levels, t.made, max(int(n)+1, min(2*len(t.made), mostTails)))
		return t.made[n]
	case len(t.made) < mostTails:
		t.made = baseline.MinusLogTails(t.levels, t.made, mostTails)
	}
	return baseline.ExtrapolateTail(t.made, n)
}
