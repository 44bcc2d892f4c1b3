package score

import (
	"math"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
)

// reach takes in the tail of a statistic that is no CUSUM, of which the highest counts.
func (r *RunScore) reach(st Statistic, x float64) {
	most := &r.tails[st-Cusums]
	*most = max(*most, x)
	r.raise(st, *most)
}

// counts are the tails of how far the run has come.
func (r *RunScore) counts(m *Model, s *feature.CallFeatures, at int64, irreversible uint64) {
	r.reach(Identical, r.agent.identical.at(uint64(s.Identical)))
	r.reach(Fresh, m.fresh(r.agent, s.Route).run.at(s.NewOnRoute))
	r.reach(Distinct, r.agent.distinct.at(s.Distinct))
	r.reach(Switches, r.agent.switches.at(s.Switches))
	if s.Write && s.CallsOnRoute == 1 {
		r.rare.add(m.rareness(r.agent, s.Route, s.NewTarget), 1, s, at, irreversible)
		r.raise(RareWrites, r.rare.max)
	}
}

// enoughLogged runs must have shown an amount before it is judged.
const enoughLogged = 20

// spent are the tails of what not every source logs. What the baseline has not seen
// often enough is not judged.
func (r *RunScore) spent(s *feature.Usage) {
	a := r.agent
	if s.Irreversible > 0 {
		r.reach(Irreversible, a.irreversible.at(s.Irreversible))
	}
	if s.Parallel > 0 {
		r.reach(InRow, a.inRow.at(s.Parallel))
	}
	if s.Tokens > 0 && r.model.Baseline.Tokens.All.N >= enoughLogged {
		r.reach(Tokens, tail(float64(s.Tokens), a.tokens))
	}
	if s.Money > 0 && r.model.Baseline.Money.All.N >= enoughLogged {
		r.reach(Money, tail(s.Money+1, a.money))
	}
}

// tail is −ln P(X ≥ x).
func tail(x float64, of baseline.LogNormal) float64 {
	return minusLogTail((math.Log(x) - of.Mean) / of.SD)
}

// amounts are the tails of what the run adds up. A baseline that knows nothing of
// an amount says nothing of it.
func (r *RunScore) amounts(m *Model, route *onRoute, s *feature.CallFeatures, at int64, irreversible uint64) {
	if m.Baseline.Bytes.All.N == 0 {
		return
	}
	r.reach(Bytes, tail(r.bytes+1, r.agent.bytes))
	r.reach(Writes, tail(r.writes+1, r.agent.writes))
	if s.CallsOnRoute > 1 {
		// A count is a step: its tail begins half a call before it.
		r.reach(OnRoute, tail(float64(s.CallsOnRoute)-.5, route.calls))
	}
	r.scatter.add(m.follows(r.agent, route, s.PreviousRoute, s.Route), 1, s, at, irreversible)
	r.raise(Scatter, r.scatter.max)
}
