package score

import "flyball/detect/model/baseline"

// countTails caches −ln P(N ≥ n) of a count, for the n that were needed so far.
type countTails struct {
	levels [3]baseline.RunCounts
	made   []float64
}

// maxTails is the maximum number of cached values. Beyond it the assumed tail is used.
const maxTails = 1024

func newCountTails(f *baseline.RunCountDistribution, group, of string) *countTails {
	if f.Empty() {
		return nil
	}
	return &countTails{levels: f.Levels(group, of)}
}

// at returns −ln P(N ≥ n). It is 0 for a count without runs in the baseline; then t is nil.
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
