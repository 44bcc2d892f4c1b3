package score

import (
	"math"

	"flyball/detect/feature"
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

// strangerSpecs are the statistics of strangers. Those of calls are anchored by the number of calls.
var strangerSpecs = func() [numStatistics]spec {
	out := specs
	set := func(st statistic, t1, t01 float64) { out[st].t10, out[st].t1, out[st].t01 = 0, t1, t01 }
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
	return out
}()

// visitorSpecs are the statistics of visitors. A visitor is an agent that is not a stranger, at a call to an unknown API. It
// is scored there as a stranger. Its CUSUMs go on at calls to known APIs on the anchors of known agents. So they have these
// anchors at both, and what they add at the unknown API is scaled by visitorScale: as many events as are rare for a
// stranger are as rare for a visitor. To those that are evidence only, calls to the unknown API add nothing, or else the
// next call to a known API would judge them.
var visitorSpecs = func() [numStatistics]spec {
	out := strangerSpecs
	for st := range numCusums {
		out[st].t10, out[st].t1, out[st].t01 = specs[st].t10, specs[st].t1, specs[st].t01
	}
	return out
}()

// visitorScale multiplies the increments of visitors.
var visitorScale = func() (out [numCusums]float64) {
	for st := range numCusums {
		if !strangerSpecs[st].evidence {
			out[st] = specs[st].t01 / strangerSpecs[st].t01
		}
	}
	return out
}()

// repeatHit is what a repeat adds to the CUSUM of repeats of strangers.
var repeatHit = increment(strangerRates[feature.Repeats], specs[statRepeats].p1, true)

// dominant returns the largest number of identical calls of the run, limited by its repeats in a row: polling between
// other calls is not a loop. It is the number of repeats in a row whose CUSUM has the maximum of the run's, plus 0.6.
func (r *RunScore) dominant() float64 {
	hit := repeatHit
	if r.view.visitor() {
		hit *= visitorScale[statRepeats]
	}
	return min(float64(r.maxIdentical), r.cusum[statRepeats].max/hit+.6)
}

// strangers returns the agent with which calls of a are scored to an API that no run of its peer group used.
func (m *Model) strangers(a *agent) *agent {
	as, of := &strangerSpecs, &a.peers.strangers
	if !a.stranger() {
		as, of = &visitorSpecs, &a.peers.visitors
	}
	if *of == nil {
		*of = m.newAgent(unknownKey, a.group, schema.NewPopulation)
		(*of).specs = as
	}
	return *of
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

// stranger reports whether the agent is scored as a stranger or a visitor.
func (a *agent) stranger() bool { return a.specs != &specs }

// visitor reports whether the agent is scored as a visitor.
func (a *agent) visitor() bool { return a.specs == &visitorSpecs }

// Acquaintance returns how well the baseline knew the run at its last call. It is that of a new population for a call to
// an API that no run of the peer group used, whoever makes it.
func (r *RunScore) Acquaintance() schema.Acquaintance {
	if r.agent == nil {
		return schema.NothingLearned
	}
	return min(r.agent.class, r.view.class)
}

// Stranger reports whether the run was scored as that of a stranger at its last call.
func (r *RunScore) Stranger() bool { return r.view != nil && r.view.stranger() }

// Levels returns the thresholds of the run at its last call. tripShare is the share of clean runs that may trip. Without
// a baseline no score reaches a level.
func (r *RunScore) Levels(tripShare float64) calibrate.Levels {
	if r.agent == nil {
		return calibrate.Levels{math.MaxFloat64, math.MaxFloat64, math.MaxFloat64}
	}
	out := r.agent.thresholds(r.model, tripShare)
	if r.view != r.agent {
		for i, t := range r.view.thresholds(r.model, tripShare) {
			out[i] = max(out[i], t)
		}
	}
	return out
}

// thresholds returns the thresholds of the agent's class, which are computed once.
func (a *agent) thresholds(m *Model, tripShare float64) calibrate.Levels {
	if a.levelsOf != tripShare {
		a.levels, a.levelsOf = m.Baseline.Levels(a.class, a.group, tripShare), tripShare
	}
	return a.levels
}
