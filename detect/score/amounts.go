package score

import (
	"math"

	"flyball/detect/baseline"
	"flyball/detect/feature"
)

// counts are the tails of how far the run has come.
func (r *Run) counts(m *Model, s *feature.Step, at int64, irreversible uint64) {
	r.most.identical = max(r.most.identical, r.agent.identical.at(uint64(s.Identical)))
	r.raise(Identical, r.most.identical)
	r.most.fresh = max(r.most.fresh, m.fresh(r.agent, s.Route).run.at(s.FreshOnRoute))
	r.raise(Fresh, r.most.fresh)
	r.most.distinct = max(r.most.distinct, r.agent.distinct.at(s.Distinct))
	r.raise(Distinct, r.most.distinct)
	r.most.switches = max(r.most.switches, r.agent.switches.at(s.Switches))
	r.raise(Switches, r.most.switches)
	if s.Write && s.OnRoute == 1 {
		r.rare.add(m.rareness(r.agent, s.Route, s.Target), 1, s, at, irreversible)
		r.raise(RareWrites, r.rare.max)
	}
}

// enoughLogged runs must have shown an amount before it is judged.
const enoughLogged = 20

// spent are the tails of what not every source logs. What the baseline has not seen
// often enough is not judged.
func (r *Run) spent(s *feature.Spent) {
	raise := func(st Statistic, most *float64, x float64) {
		*most = max(*most, x)
		r.raise(st, *most)
	}
	a := r.agent
	if s.Irreversible > 0 {
		raise(Irreversible, &r.most.irreversible, a.irreversible.at(s.Irreversible))
	}
	if s.InRow > 0 {
		raise(InRow, &r.most.inRow, a.inRow.at(s.InRow))
	}
	if s.Tokens > 0 && r.model.Body.Tokens.All.N >= enoughLogged {
		raise(Tokens, &r.most.tokens, tail(float64(s.Tokens), a.tokens))
	}
	if s.Money > 0 && r.model.Body.Money.All.N >= enoughLogged {
		raise(Money, &r.most.money, tail(s.Money+1, a.money))
	}
}

// tail is −ln P(X ≥ x).
func tail(x float64, of baseline.LogNormal) float64 {
	return minusLogTail((math.Log(x) - of.Mean) / of.SD)
}

// amounts are the tails of what the run adds up. A baseline that knows nothing of
// an amount says nothing of it.
func (r *Run) amounts(m *Model, route *onRoute, s *feature.Step, at int64, irreversible uint64) {
	if m.Body.Bytes.All.N == 0 {
		return
	}
	r.most.bytes = max(r.most.bytes, tail(r.bytes+1, r.agent.bytes))
	r.raise(Bytes, r.most.bytes)
	r.most.writes = max(r.most.writes, tail(r.writes+1, r.agent.writes))
	r.raise(Writes, r.most.writes)
	if s.OnRoute > 1 {
		// A count is a step: its tail begins half a call before it.
		r.most.onRoute = max(r.most.onRoute, tail(float64(s.OnRoute)-.5, route.calls))
		r.raise(OnRoute, r.most.onRoute)
	}
	r.scatter.add(m.follows(r.agent, route, s.Before, s.Route), 1, s, at, irreversible)
	r.raise(Scatter, r.scatter.max)
}
