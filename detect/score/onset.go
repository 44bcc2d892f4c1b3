package score

import (
	"flyball/schema"
)

// TopFamily is the family that makes the score.
func (r *RunScore) TopFamily() Family {
	best := Family(0)
	for f := range Family(NumFamilies) {
		if r.Families[f] > r.Families[best] {
			best = f
		}
	}
	return best
}

// Onset is where what a family stands on began: call number, event time and
// the irreversible calls since then. A count of the whole run began where the
// family's events began to come one after another, or else with the run.
func (r *RunScore) Onset(f Family) (call uint64, at int64, exposed schema.Exposure) {
	k := r.excursion(f)
	n := r.Calls()
	if k == nil {
		return 1, r.startAt, schema.Exposure{Calls: n, Irreversible: r.Touched.Irreversible}
	}
	return uint64(k.onset), k.onsetAt, schema.Exposure{
		Calls:        n - uint64(k.onset) + 1,
		Irreversible: r.Touched.Irreversible - uint64(k.irreversible),
	}
}

// excursion is the excursion that a family stands on; nil: the run as a whole.
func (r *RunScore) excursion(f Family) *cusum {
	switch st := r.leading[f]; {
	case st < numCusums:
		return &r.cusum[st]
	case st == statRareWrites:
		return &r.rareWrites
	case st == statOrder:
		return &r.scatter
	}
	var earliest *cusum
	for st := range numCusums {
		if k := &r.cusum[st]; familyOf[st] == f && k.w > 0 && (earliest == nil || k.onset < earliest.onset) {
			earliest = k
		}
	}
	return earliest
}

// value of a statistic.
func (r *RunScore) value(st statistic) float64 {
	switch {
	case st == statRareWrites:
		return r.rareWrites.max
	case st == statOrder:
		return r.scatter.max
	case st >= numCusums:
		return r.tails[st-numCusums]
	}
	return r.cusum[st].max
}

// Rising reports whether the family's statistic stands at its maximum: the run
// goes on as it did, and has not recovered since.
func (r *RunScore) Rising(f Family) bool {
	st := r.leading[f]
	if st == statOrder {
		return r.scatter.w >= r.scatter.max
	}
	return st >= numCusums || r.cusum[st].w >= r.cusum[st].max
}
