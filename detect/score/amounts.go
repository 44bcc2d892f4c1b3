package score

import (
	"math"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
)

// raiseTail raises a statistic that is not a CUSUM to x, if x is its highest value so far.
func (r *RunScore) raiseTail(st statistic, x float64) {
	most := &r.tails[st-numCusums]
	*most = r.agent.specs[st].limitEvidence(max(*most, x))
	r.raise(st, *most)
}

// addCounts raises the statistics that are counts of the run.
func (r *RunScore) addCounts(s *countedCall) {
	m, a := r.model, r.agent
	distinct, switches := a.distinct.at(s.Distinct), a.switches.at(s.Switches) // first, because the processor then waits for both at once
	if a.stranger() {
		r.raise(statIdentical, r.dominant())
		r.raise(statNewOnRoute, float64(r.maxNewOnRoute))
	} else {
		r.raiseTail(statIdentical, a.identical.at(uint64(s.Identical)))
		r.raiseTail(statNewOnRoute, m.newOnRoute(a, s.Route).run.at(s.NewOnRoute))
	}
	r.raiseTail(statDistinct, distinct)
	r.raiseTail(statSwitches, switches)
	if s.Write && s.CallsOnRoute == 1 {
		r.rareWrites.add(m.rareness(a, s.Route, s.NewTarget), 1, s)
		r.rareWrites.limit(&a.specs[statRareWrites])
		r.raise(statRareWrites, r.rareWrites.max)
	}
}

// addAtNewAPI raises the statistics that are counts at a call to an API that the peers do not use: identical calls as on
// any API, and the new calls on the route by the fixed numbers of strangers. Those that need acquaintance with the API
// stay as they are.
func (r *RunScore) addAtNewAPI(s *countedCall) {
	r.raiseTail(statIdentical, r.agent.identical.at(uint64(s.Identical)))
	// A smaller number is usual at an API of which nothing is known. It would be rare by the calibration, which is of calls to
	// known APIs, and many runs of it would be evidence against their actor.
	if v := strangerSpecs[statNewOnRoute].anchored(float64(s.NewOnRoute)); v >= 2*decade {
		r.raiseTo(statNewOnRoute, v)
	}
}

// minLoggedRuns is the minimum number of runs with a logged amount before the amount is scored.
const minLoggedRuns = 20

// addUsage raises the statistics of quantities that not every source logs. Tokens and money are scored only when enough
// runs of the baseline have them.
func (r *RunScore) addUsage(s *feature.Usage) {
	a := r.agent
	if s.Irreversible > 0 {
		r.raiseTail(statIrreversible, a.irreversible.at(s.Irreversible))
	}
	if s.Parallel > 0 {
		r.raiseTail(statParallel, a.inRow.at(s.Parallel))
	}
	if s.Tokens > 0 && r.model.Baseline.Tokens.All.N >= minLoggedRuns {
		r.raiseTail(statTokens, logNormalTail(float64(s.Tokens), a.tokens))
	}
	if s.Money > 0 && r.model.Baseline.Money.All.N >= minLoggedRuns {
		r.raiseTail(statMoney, logNormalTail(s.Money+1, a.money))
	}
}

// logNormalTail returns −ln P(X ≥ x).
func logNormalTail(x float64, of baseline.LogNormal) float64 {
	return minusLogTail((math.Log(x) - of.Mean) / of.SD)
}

// addAmounts raises the statistics of sums over the run, and of the order of routes. It does nothing when the baseline
// has no amounts.
func (r *RunScore) addAmounts(route *routeView, s *countedCall) {
	m := r.model
	if m.Baseline.Bytes.All.N == 0 {
		return
	}
	r.raiseTail(statBytes, logNormalTail(r.bytes+1, r.agent.bytes))
	r.raiseTail(statWrites, logNormalTail(r.writes+1, r.agent.writes))
	if s.CallsOnRoute > 1 {
		// Continuity correction for a count: its tail begins half a call below it.
		r.raiseTail(statOnRoute, logNormalTail(float64(s.CallsOnRoute)-.5, route.calls))
	}
	r.scatter.add(m.follows(r.agent, route, s.PreviousRoute, s.Route), 1, s)
	r.scatter.limit(&r.agent.specs[statOrder])
	r.raise(statOrder, r.scatter.max)
}
