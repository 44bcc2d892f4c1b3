package score

import (
	"flyball/schema/wire"
)

func (k *cusum) code(c *wire.Coder) {
	codeNumber(c, &k.w)
	codeNumber(c, &k.max)
	wire.Num(c, &k.onset)
	c.Int(&k.onsetAt)
	wire.Num(c, &k.irreversible)
	wire.Num(c, &k.hits)
	wire.Num(c, &k.trials)
}

// scaleVersion is the version of stored state from which the scale of a run's score is stored. Before, every run had that of
// known agents.
const scaleVersion = 11

// Code encodes or decodes the run. Fields that can be computed from the others are not encoded.
func (r *RunScore) Code(c *wire.Coder) {
	r.feature.Code(c)
	for i := range r.cusum {
		r.cusum[i].code(c)
	}
	r.codeSame(c)
	tail := func(of ...statistic) {
		for _, st := range of {
			codeNumber(c, &r.tails[st-numCusums])
		}
	}
	tail(statLength)
	c.Int(&r.startAt)
	for i := range r.trials {
		hits, calls := 0.0, float64(r.trials[i])
		codeNumber(c, &hits) // part of the format of an earlier release, not used
		codeNumber(c, &calls)
		r.trials[i] = uint32(calls)
	}
	for _, v := range [...]*uint64{&r.Touched.ReadOnly, &r.Touched.Reversible, &r.Touched.Compensable, &r.Touched.Irreversible,
		&r.Touched.Unknown} {
		c.Uint(v)
	}
	codeNumber(c, &r.Score)
	families := NumFamilies
	if c.Version < 5 {
		families = 7
	}
	if c.Version < 4 {
		families = 5
	} else {
		codeNumber(c, &r.bytes)
		codeNumber(c, &r.writes)
		tail(statBytes, statWrites, statOnRoute)
		wire.Num(c, &r.maxOnRoute)
		r.scatter.code(c)
	}
	if c.Version >= 5 {
		tail(statIdentical, statNewOnRoute, statDistinct, statSwitches, statIrreversible, statParallel, statTokens, statMoney)
		wire.Num(c, &r.maxNewOnRoute)
		r.rareWrites.code(c)
		codeNumber(c, &r.actorEvidence)
		r.evidence.code(c)
	}
	if c.Version >= scaleVersion {
		c.Fixed64(&r.scoredAs)
	}
	for f := range families {
		codeNumber(c, &r.Families[f])
		wire.Small(c, &r.leading[f])
		if r.leading[f] >= numStatistics {
			c.Refuse("a statistic that does not exist")
		}
	}
}

// codeSame encodes or decodes maxIdentical, which was a floating-point number before version 5.
func (r *RunScore) codeSame(c *wire.Coder) {
	if c.Version >= 5 {
		wire.Num(c, &r.maxIdentical)
		return
	}
	same := float64(r.maxIdentical)
	codeNumber(c, &same)
	r.maxIdentical = uint32(same)
}
