package baseline

import (
	"math"

	"flyball/detect/feature"
)

// DriftPerDay is the maximum factor by which an agent's own figures may change in a day:
// the odds of its events, the median and the spread of its amounts, and the tail probabilities of
// its counts.
const DriftPerDay = 2

// driftSteps is the number of bisection steps in the search for the allowed share.
const driftSteps = 40

// comparedCounts are the counts at which tails are compared.
var comparedCounts = [...]int{4, 8, 16, 32, 64}

// ownFigures holds an agent's own counts, before they are shrunk to those of its peers.
type ownFigures struct {
	counts  Counts
	amounts []Moments   // in the order of Baseline.amounts
	runs    []RunCounts // in the order of Baseline.distributionsByAgent
}

// figuresOf returns the own figures of an agent of a peer group.
func figuresOf(b *Baseline, agent, group string) ownFigures {
	out := ownFigures{counts: b.Agents[agent]}
	for _, a := range b.amounts() {
		out.amounts = append(out.amounts, a.of.Agents[agent])
	}
	for _, d := range b.distributionsByAgent() {
		out.runs = append(out.runs, d.of.Within[group][agent])
	}
	return out
}

// mix returns base + share·(all − base) for each number.
func (base *ownFigures) mix(all *ownFigures, share float64) ownFigures {
	out := ownFigures{
		counts:  mixCounts(base.counts, all.counts, share),
		amounts: make([]Moments, len(base.amounts)),
		runs:    make([]RunCounts, len(base.runs)),
	}
	for i := range out.amounts {
		out.amounts[i] = mixMoments(base.amounts[i], all.amounts[i], share)
	}
	for i := range out.runs {
		out.runs[i] = mixRunCounts(base.runs[i], all.runs[i], share)
	}
	return out
}

// peerFigures are the figures of a peer group of a baseline, to which those of an agent are shrunk.
type peerFigures struct {
	of    *Baseline
	group string
}

// drift returns the natural logarithm of the largest factor between the figures of from and to, both shrunk to the
// peers.
func (p peerFigures) drift(from, to *ownFigures) float64 {
	return max(p.driftOfOdds(from, to), p.driftOfAmounts(from, to), p.driftOfCounts(from, to))
}

func (p peerFigures) driftOfOdds(from, to *ownFigures) (largest float64) {
	peers := p.of.Groups[p.group]
	for e := range feature.NumEvents {
		k := &shrinkages[e]
		groupRate := peers.ForEvent(e).towards(p.of.All.overallRate(e), k.level)
		odds := func(c *Counts) float64 {
			return logit(min(max(c.ForEvent(e).towards(groupRate, k.agent), k.floor), k.ceiling))
		}
		largest = max(largest, math.Abs(odds(&to.counts)-odds(&from.counts)))
	}
	return largest
}

func (p peerFigures) driftOfAmounts(from, to *ownFigures) (largest float64) {
	for i, a := range p.of.amounts() {
		m, v := a.of.everybody()
		m, v = a.of.Groups[p.group].towards(m, v)
		m0, v0 := from.amounts[i].towards(m, v)
		m1, v1 := to.amounts[i].towards(m, v)
		largest = max(largest, math.Abs(m1-m0), math.Abs(math.Log(v1/v0))/2)
	}
	return largest
}

func (p peerFigures) driftOfCounts(from, to *ownFigures) (largest float64) {
	for i, d := range p.of.distributionsByAgent() {
		levels := d.of.Levels(p.group, "")
		tails := func(own RunCounts) []float64 {
			levels[2] = own
			return MinusLogTails(levels, nil, comparedCounts[len(comparedCounts)-1]+1)
		}
		before, after := tails(from.runs[i]), tails(to.runs[i])
		for _, n := range comparedCounts {
			largest = max(largest, math.Abs(after[n]-before[n]))
		}
	}
	return largest
}

// LimitDrift limits the change of an agent's own figures from the previous version to DriftPerDay for a number of
// days. The counts become those of the previous version plus a share of the difference, as large as the limit allows.
// agent is the agent's key, group its peer group. It returns the share; 1 means that nothing was changed.
func (b *Baseline) LimitDrift(before *Baseline, agent, group string, days float64) float64 {
	if !b.Has(agent) || !before.Has(agent) {
		return 1
	}
	from, to := figuresOf(before, agent, group), figuresOf(b, agent, group)
	peers := peerFigures{b, group}
	limit := math.Log(DriftPerDay) * max(days, 0)
	if peers.drift(&from, &to) <= limit {
		return 1
	}
	share, high := 0.0, 1.0
	for range driftSteps {
		middle := (share + high) / 2
		part := from.mix(&to, middle)
		if peers.drift(&from, &part) <= limit {
			share = middle
		} else {
			high = middle
		}
	}
	tables := before.perAgent().byName()
	for _, t := range b.perAgent() {
		t.average(agent, agent, tables[t.name()], agent, share)
	}
	return share
}
