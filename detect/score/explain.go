package score

import (
	"math"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/schema"
)

// Explain says what speaks for a family: its statistics, the strongest first,
// as observed in the run, usual for the agent, for its peers and for humans.
// Rates are shares of eligible calls since the onset; route is the one of the
// call that raised it.
func (r *RunScore) Explain(f Family, route uint64) []schema.Contribution {
	if r.agent == nil {
		return nil
	}
	var out []schema.Contribution
	add := func(st Statistic) {
		if familyOf[st] == f && st.anchored(r.Value(st)) >= decade {
			out = append(out, r.contribution(st, route))
		}
	}
	first := r.leading[f]
	add(first)
	for st := range Statistics {
		if st != first {
			add(st)
		}
	}
	if len(out) > 0 {
		out[0].Calls = r.EvidenceCalls(f)
	}
	return out
}

func (r *RunScore) contribution(st Statistic, route uint64) schema.Contribution {
	c := schema.Contribution{Feature: st.String(), Observed: schema.Unknown, Usual: schema.Unknown, Peers: schema.Unknown, Humans: schema.Unknown,
		Score: schema.OptionalFloat(round(st.anchored(r.Value(st))))}
	b := r.model.Baseline
	switch st {
	case Scatter:
		c.Observed = schema.OptionalFloat(round(r.scatter.max))
		return c
	case RareWrites:
		c.Observed = schema.OptionalFloat(round(r.rareWrites.max))
		return c
	case OnRoute:
		c.Observed = schema.OptionalFloat(float64(r.maxOnRoute))
		c.Usual = medianAmount(r.model.route(r.agent, route).calls)
		c.Peers = medianAmount(b.PerRoute.ForAgent("", r.agent.group, r.agent.peers.routes[route]))
		return c
	case Identical, Fresh, Distinct, Switches, Irreversible, InRow:
		finals, value, of := &b.IdenticalCalls, uint64(r.maxIdentical), r.agent.key
		switch st {
		case Fresh:
			finals, value, of = &b.NewOnRoute, uint64(r.maxNewOnRoute), r.agent.peers.routes[route]
		case Distinct:
			finals, value = &b.Distinct, r.feature.Distinct()
		case Switches:
			finals, value = &b.Switches, r.feature.Switches()
		case Irreversible:
			finals, value = &b.Irreversible, r.feature.Usage.Irreversible
		case InRow:
			finals, value = &b.Parallel, r.feature.Usage.Parallel
		}
		c.Observed = schema.OptionalFloat(float64(value))
		levels := finals.Levels(r.agent.group, of)
		c.Usual, c.Peers, c.Humans = medianCount(levels[2]), medianCount(levels[1]), medianCount(finals.Groups[baseline.Humans])
		return c
	case Length, Bytes, Writes, Tokens, Money:
		amount, value := &b.Lengths, float64(r.Calls())
		switch st {
		case Bytes:
			amount, value = &b.Bytes, r.bytes
		case Writes:
			amount, value = &b.Writes, r.writes
		case Tokens:
			amount, value = &b.Tokens, float64(r.feature.Usage.Tokens)
		case Money:
			amount, value = &b.Money, r.feature.Usage.Money
		}
		c.Observed = schema.OptionalFloat(value)
		c.Peers = medianAmount(amount.ForGroup(r.agent.group, 0))
		c.Usual = c.Peers
		if r.agent.key != "" {
			c.Usual = medianAmount(amount.ForAgent(r.agent.key, r.agent.group, 0))
		}
		if amount.Groups[baseline.Humans].N >= minHumanSamples {
			c.Humans = medianAmount(amount.ForGroup(baseline.Humans, 0))
		}
		return c
	}
	k := &r.cusum[st]
	if k.trials > 0 {
		c.Observed = schema.OptionalFloat(round(float64(k.hits) / float64(k.trials)))
	}
	event := specs[st].event
	c.Usual = schema.OptionalFloat(round(r.usual(event, r.model.rates(r.agent, route, true))))
	c.Peers = schema.OptionalFloat(round(r.usual(event, r.model.rates(r.agent, route, false))))
	if h, ok := b.Groups[baseline.Humans]; ok && h.ForEvent(event).Calls >= minHumanSamples {
		humans := r.model.rates(&agent{group: baseline.Humans, peers: r.model.peers(baseline.Humans)}, route, false)
		c.Humans = schema.OptionalFloat(round(r.usual(event, humans)))
	}
	return c
}

// medianCount is the median count of runs.
func medianCount(r baseline.RunCounts) schema.OptionalFloat {
	n, ok := r.Median()
	if !ok {
		return schema.Unknown
	}
	return schema.OptionalFloat(float64(n))
}

// minHumanSamples calls or runs of humans to say what is usual for them.
const minHumanSamples = 20

// usual is the rate of an event over the strata as the run met them.
func (r *RunScore) usual(e feature.Event, rate func(feature.Event, feature.Cell) float64) float64 {
	from, to := e.CellRange()
	sum, calls := 0.0, 0.0
	for c := from; c < to; c++ {
		n := float64(r.trials[c])
		sum += n * rate(e, c)
		calls += n
	}
	if calls == 0 {
		return rate(e, from)
	}
	return sum / calls
}

// medianAmount is the median of a log-normal amount.
func medianAmount(l baseline.LogNormal) schema.OptionalFloat {
	return schema.OptionalFloat(round(math.Exp(l.Mean)))
}

// round keeps four significant digits: what a person can use.
func round(x float64) float64 {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(x))))
	return math.Round(x*scale) / scale
}
