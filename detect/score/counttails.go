package score

import "flyball/detect/model/baseline"

// countTails are −ln P(N ≥ n) of a count, made as far as runs come.
type countTails struct {
	levels [3]baseline.RunCounts
	made   []float64
}

// maxTails are made; what lies beyond follows the assumed tail.
const maxTails = 1024

func newCountTails(f *baseline.RunCountDistribution, group, of string) *countTails {
	if f.Empty() {
		return nil
	}
	return &countTails{levels: f.Levels(group, of)}
}

// at is −ln P(N ≥ n). Of a count that the baseline knows nothing of it is 0.
func (t *countTails) at(n uint64) float64 {
	switch {
	case t == nil:
		return 0
	case n < uint64(len(t.made)):
		return t.made[n]
	case n < maxTails:
		t.made = baseline.MinusLogTails(t.levels, t.made, max(int(n)+1, min(2*len(t.made), maxTails)))
		return t.made[n]
	case len(t.made) < maxTails:
		t.made = baseline.MinusLogTails(t.levels, t.made, maxTails)
	}
	return baseline.ExtrapolateTail(t.made, n)
}
