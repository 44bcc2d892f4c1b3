package score

import (
	"math"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
)

// raiseTail raises a statistic that is no CUSUM to x, if x is its highest tail so far.
func (r *RunScore) raiseTail(st statistic, x float64) {
	most := &r.tails[st-numCusums]
	*most = max(*most, x)
	r.raise(st, *most)
}

// addCounts are the tails of how far the run has come.
func (r *RunScore) addCounts(m *Model, s *feature.CallFeatures, at int64, irreversible uint64) {
	r.raiseTail(statIdentical, r.agent.identical.at(uint64(s.Identical)))
	r.raiseTail(statNewOnRoute, m.newOnRoute(r.agent, s.Route).run.at(s.NewOnRoute))
	r.raiseTail(statDistinct, r.agent.distinct.at(s.Distinct))
	r.raiseTail(statSwitches, r.agent.switches.at(s.Switches))
	if s.Write && s.CallsOnRoute == 1 {
		r.rareWrites.add(m.rareness(r.agent, s.Route, s.NewTarget), 1, s, at, irreversible)
		r.raise(statRareWrites, r.rareWrites.max)
	}
}

// minLoggedRuns runs must have shown an amount before it is judged.
const minLoggedRuns = 20

// addUsage are the tails of what not every source logs. What the baseline has not seen
// often enough is not judged.
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

// logNormalTail is −ln P(X ≥ x).
func logNormalTail(x float64, of baseline.LogNormal) float64 {
	return minusLogTail((math.Log(x) - of.Mean) / of.SD)
}

// addAmounts are the tails of what the run adds up. A baseline that knows nothing of
// an amount says nothing of it.
func (r *RunScore) addAmounts(m *Model, route *routeView, s *feature.CallFeatures, at int64, irreversible uint64) {
	if m.Baseline.Bytes.All.N == 0 {
		return
	}
	r.raiseTail(statBytes, logNormalTail(r.bytes+1, r.agent.bytes))
	r.raiseTail(statWrites, logNormalTail(r.writes+1, r.agent.writes))
	if s.CallsOnRoute > 1 {
		// A count is a step: its tail begins half a call before it.
		r.raiseTail(statOnRoute, logNormalTail(float64(s.CallsOnRoute)-.5, route.calls))
	}
	r.scatter.add(m.follows(r.agent, route, s.PreviousRoute, s.Route), 1, s, at, irreversible)
	r.raise(statOrder, r.scatter.max)
}
