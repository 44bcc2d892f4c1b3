package score

import (
	"math"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/schema"
)

// A stranger is an agent of which the baseline knows neither enough runs nor enough runs of its peers. It is scored by
// what means the same for every agent: repeats of one call, failing retries, deletions, and calls that walk through new
// resources. These are counted against the fixed rates and anchors of this file and not against learned ones, because
// the rates of other populations say little about it. Sizes are compared with all populations, whose differences widen
// the tail. Statistics that need acquaintance are evidence only. adr/0004 has the measurements.

// strangerRates are the probabilities of the events that are counted for strangers at a fixed rate.
var strangerRates = map[feature.Event]float64{feature.Repeats: .16, feature.Retries: .0035, feature.Deletions: .01}

// evidenceLimit is the highest score of a statistic that is evidence only: it is shown beside other evidence and never
// reaches a level.
const evidenceLimit = 1.25 * decade

// strangerSpecs are the statistics of strangers. Those of calls are anchored by the number of calls. The CUSUMs of
// strangers and of known agents have the same anchor t01, because a run keeps them when another baseline becomes active:
// what they add is multiplied by strangerScale.
var strangerSpecs, strangerScale = func() (out [numStatistics]spec, scale [numCusums]float64) {
	out = specs
	set := func(st statistic, t1, t01 float64) {
		out[st].t10, out[st].t1, out[st].t01 = 0, t1, t01
		if st < numCusums {
			scale[st] = specs[st].t01 / t01
			out[st].t1, out[st].t01 = t1*scale[st], specs[st].t01
		}
	}
	for st := range numCusums {
		scale[st] = 1
	}
	repeat := math.Log(specs[statRepeats].p1 / strangerRates[feature.Repeats])
	deletion := math.Log(specs[statDeletions].p1 / strangerRates[feature.Deletions])
	retry := math.Log(specs[statRetries].p1 / strangerRates[feature.Retries])
	set(statRepeats, 5.8*repeat, 11.8*repeat)
	set(statIdentical, 4.5, 8.5)   // calls; see dominant
	set(statNewOnRoute, 9.5, 12.5) // calls
	set(statDeletions, 1.3*deletion, 2.4*deletion)
	set(statRetries, 1.9*retry, 3.4*retry)
	set(statRetriesSlow, 12, 30)
	set(statBytes, 9, 11.5)
	set(statDistinct, 8, 15)
	for _, st := range []statistic{statErrors, statSweep, statSweepSlow, statOrder, statSwitches, statRareWrites, statParallel} {
		out[st].evidence = true
	}
	return out, scale
}()

// limitEvidence returns a value of a statistic, limited so that it stays below every level also on the anchors of known
// agents: the run can become that of a known agent with the next baseline.
func (sp *spec) limitEvidence(x float64) float64 {
	switch {
	case !sp.evidence:
		return x
	case sp.t10 > 0:
		return min(x, sp.t10+(evidenceLimit/decade-1)*(sp.t1-sp.t10))
	}
	return min(x, evidenceLimit/(2*decade)*sp.t1)
}

// repeatHit is what a repeat adds to the CUSUM of repeats of strangers.
var repeatHit = increment(strangerRates[feature.Repeats], specs[statRepeats].p1, true) * strangerScale[statRepeats]

// dominant returns a number of calls: the largest number of identical calls of the run, limited by its repeats in a row,
// because polling between other calls is not a loop. It is the number of repeats in a row whose CUSUM has the maximum of the
// run's, plus 0.6.
func (r *RunScore) dominant() float64 {
	return min(float64(r.maxIdentical), r.cusum[statRepeats].max/repeatHit+.6)
}

// knowsAPI reports whether the peers of an agent use an API. At a call to another one, only what means the same for every
// agent is counted, as for strangers, and by the agent's own rates.
func (m *Model) knowsAPI(a *agent, api uint64) bool {
	return m.Baseline.ByClass == nil || a.stranger() || m.Baseline.KnownAPIs.Knows(a.group, api)
}

// scoresAsStranger reports whether runs of a class are scored as those of strangers.
func (m *Model) scoresAsStranger(class schema.Acquaintance) bool {
	return m.Baseline.ByClass != nil && class <= schema.NewPopulation
}

// fixedRates returns the rates that are not learned.
func (a *agent) fixedRates() map[feature.Event]float64 {
	if a.stranger() {
		return strangerRates
	}
	return nil
}

// stranger reports whether the agent is scored as a stranger.
func (a *agent) stranger() bool { return a.specs == &strangerSpecs }

// scale identifies the caller and the scale on which it is scored: the hash of its key and peer group, and in the last
// bit whether it is a stranger. A caller cannot begin its score again by a change of its name.
func (a *agent) scale(who Reference) uint64 {
	hash := schema.HashStrings(who.Agent, who.Group) &^ 1
	if a.stranger() {
		return hash | 1
	}
	return max(hash, 2)
}

// Acquaintance returns how well the baseline that is bound knows the run's agent.
func (r *RunScore) Acquaintance() schema.Acquaintance {
	if r.agent == nil {
		return schema.AcquaintanceUnrecorded
	}
	return r.agent.class
}

// Stranger reports whether the run is scored as that of a stranger.
func (r *RunScore) Stranger() bool { return r.agent != nil && r.agent.stranger() }

// Levels returns the thresholds of the run at its last call. tripShare is the share of clean runs that may trip. Without
// a baseline no score reaches a level.
func (r *RunScore) Levels(tripShare float64) calibrate.Levels {
	if r.agent == nil {
		return calibrate.Levels{math.MaxFloat64, math.MaxFloat64, math.MaxFloat64}
	}
	if r.agent.stranger() && r.agent.class == schema.NewPopulation && isClaimed(r.Reference.Agent) {
		return r.model.claimedLevels(tripShare)
	}
	return r.agent.thresholds(r.model, tripShare)
}

// Claimed reports whether nobody vouches for the run's caller.
func (r *RunScore) Claimed() bool { return isClaimed(r.Reference.Agent) }

// isClaimed reports whether nobody vouches for the caller with a key: its name is only claimed, or it has none.
func isClaimed(key string) bool { return key == "" || baseline.IsAsserted(key) }

// claimedLevels returns the thresholds of strangers for whom nobody vouches, which are computed once.
func (m *Model) claimedLevels(tripShare float64) calibrate.Levels {
	if m.claimedOf != tripShare {
		m.claimed, m.claimedOf = m.Baseline.Thresholds().LevelsOfClaimed(tripShare), tripShare
	}
	return m.claimed
}

// thresholds returns the thresholds of the agent's class, which are computed once.
func (a *agent) thresholds(m *Model, tripShare float64) calibrate.Levels {
	if a.levelsOf == tripShare {
		return a.levels
	}
	if a.levelsOf = tripShare; a.class != schema.NewPopulation {
		a.levels = m.Baseline.Thresholds().Levels(a.class, a.group, tripShare)
		return a.levels
	}
	if m.strangersOf != tripShare { // the same for all groups, and slow with many populations
		m.strangers, m.strangersOf = m.Baseline.Thresholds().Levels(a.class, a.group, tripShare), tripShare
	}
	a.levels = m.strangers
	return a.levels
}
