package score

import (
	"flyball/schema"
)

// TopFamily returns the family with the highest score.
func (r *RunScore) TopFamily() Family {
	best := Family(0)
	for f := range Family(NumFamilies) {
		if r.Families[f] > r.Families[best] {
			best = f
		}
	}
	return best
}

// Onset returns where the behaviour behind a family's score began: call number, event time, and
// the calls and irreversible calls since then. When the leading statistic counts over the whole run, the onset is
// the earliest current excursion of the family's CUSUMs, or else the start of the run.
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

// excursion returns the CUSUM with the onset of a family; nil: the onset is the start of the run.
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

// value returns the current maximum of a statistic.
func (r *RunScore) value(st statistic) float64 {
	switch {
	case st == statIdentical && r.agent.stranger():
		return r.dominant()
	case st == statNewOnRoute && r.agent.stranger():
		return float64(r.maxNewOnRoute)
	case st == statRareWrites:
		return r.rareWrites.max
	case st == statOrder:
		return r.scatter.max
	case st >= numCusums:
		return r.tails[st-numCusums]
	}
	return r.cusum[st].max
}

// Rising reports whether the family's leading statistic is at its maximum: the run continues its behaviour and has
// not recovered. It is always true for a leading statistic that counts over the run.
func (r *RunScore) Rising(f Family) bool {
	st := r.leading[f]
	if st == statOrder {
		return r.scatter.w >= r.scatter.max
	}
	return st >= numCusums || r.cusum[st].w >= r.cusum[st].max
}
