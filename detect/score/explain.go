package score

import (
	"math"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/schema"
)

// minHumanSamples is the minimum number of calls or runs of humans for a usual value of humans.
const minHumanSamples = 20

// Explain returns the statistics that raised a family, the leading one first: each with its value
// in the run, and the usual values of the agent, its peers and humans. Rates are shares
// of eligible calls since the onset; counts and amounts are those of the run. route is
// the hash of the route of the call that raised the family.
func (r *RunScore) Explain(f Family, route uint64) []schema.Contribution {
	if r.agent == nil {
		return nil
	}
	x := explanation{r, route}
	var out []schema.Contribution
	add := func(st statistic, score float64) {
		if familyOf[st] == f && score >= decade {
			out = append(out, x.contribution(st, score))
		}
	}
	first := r.leading[f]
	add(first, r.Families[f]) // on the scale of the call that raised it, which the last call may not have
	for st := range numStatistics {
		if st != first {
			add(st, r.agent.specs[st].anchored(r.value(st)))
		}
	}
	if len(out) > 0 {
		out[0].Calls = r.evidence.calls(f)
	}
	return out
}

// countSources returns, for the statistics that are counts of a run, the distribution that the count is
// compared with, and the run's count.
var countSources = [numStatistics]func(*RunScore) (*baseline.RunCountDistribution, uint64){
	statIdentical: func(r *RunScore) (*baseline.RunCountDistribution, uint64) {
		return &r.learned().IdenticalCalls, uint64(r.maxIdentical)
	},
	statNewOnRoute: func(r *RunScore) (*baseline.RunCountDistribution, uint64) {
		return &r.learned().NewOnRoute, uint64(r.maxNewOnRoute)
	},
	statDistinct: func(r *RunScore) (*baseline.RunCountDistribution, uint64) {
		return &r.learned().Distinct, r.feature.Distinct()
	},
	statSwitches: func(r *RunScore) (*baseline.RunCountDistribution, uint64) {
		return &r.learned().Switches, r.feature.Switches()
	},
	statIrreversible: func(r *RunScore) (*baseline.RunCountDistribution, uint64) {
		return &r.learned().Irreversible, r.feature.Usage.Irreversible
	},
	statParallel: func(r *RunScore) (*baseline.RunCountDistribution, uint64) {
		return &r.learned().Parallel, r.feature.Usage.Parallel
	},
}

// amountSources returns, for the statistics that are amounts of a run, the learned amount and
// the run's amount.
var amountSources = [numStatistics]func(*RunScore) (*baseline.Amount, float64){
	statLength: func(r *RunScore) (*baseline.Amount, float64) { return &r.learned().Lengths, float64(r.Calls()) },
	statBytes:  func(r *RunScore) (*baseline.Amount, float64) { return &r.learned().Bytes, r.bytes },
	statWrites: func(r *RunScore) (*baseline.Amount, float64) { return &r.learned().Writes, r.writes },
	statTokens: func(r *RunScore) (*baseline.Amount, float64) {
		return &r.learned().Tokens, float64(r.feature.Usage.Tokens)
	},
	statMoney: func(r *RunScore) (*baseline.Amount, float64) { return &r.learned().Money, r.feature.Usage.Money },
}

// addedBeforeLog is what is added to an amount before its logarithm is learned.
var addedBeforeLog = [numStatistics]float64{statBytes: 1, statWrites: 1, statMoney: 1}

// learned returns the baseline that scored the run last.
func (r *RunScore) learned() *baseline.Baseline { return r.model.Baseline }

// explanation makes the contributions of a run's statistics. route is the hash of the route with whose rates they are compared.
type explanation struct {
	run   *RunScore
	route uint64
}

func (x *explanation) contribution(st statistic, score float64) schema.Contribution {
	r := x.run
	c := unknownContribution(st.String(), score)
	switch {
	case st == statOrder:
		c.Observed = figure(r.scatter.max)
	case st == statRareWrites:
		c.Observed = figure(r.rareWrites.max)
	case st == statOnRoute:
		c.Observed = schema.OptionalFloat(r.maxOnRoute)
		c.Usual = medianAmount(r.model.route(r.agent, x.route).calls)
		if c.UsualOf = baseline.UsualPeers; r.agent.counts != nil {
			c.UsualOf = baseline.UsualShrunk
		}
		c.Peers = medianAmount(r.learned().PerRoute.ForAgent(unknownKey, r.agent.group, r.agent.peers.routes[x.route]))
	case countSources[st] != nil:
		x.setCount(&c, st)
	case amountSources[st] != nil:
		x.setAmount(&c, st)
	default:
		x.setRate(&c, st)
	}
	return c
}

// setCount sets the values of a statistic that is a count of the run.
func (x *explanation) setCount(c *schema.Contribution, st statistic) {
	r := x.run
	distribution, value := countSources[st](r)
	within := r.agent.key
	if st == statNewOnRoute { // stored by route
		within = r.agent.peers.routes[x.route]
	}
	c.Observed = schema.OptionalFloat(value)
	levels := distribution.Levels(r.agent.group, within)
	c.Usual, c.Peers, c.Humans = medianCount(levels[2]), medianCount(levels[1]), medianCount(distribution.Groups[baseline.Humans])
	if !c.Usual.IsZero() && st != statNewOnRoute { // on a route, it is the median of all of the peers' runs
		c.UsualOf = baseline.UsualOwn
	} else if !c.Usual.IsZero() {
		c.UsualOf = baseline.UsualPeers
	}
}

// setAmount sets the values of a statistic that is an amount of the run.
func (x *explanation) setAmount(c *schema.Contribution, st statistic) {
	r := x.run
	amount, value := amountSources[st](r)
	c.Observed = schema.OptionalFloat(value)
	median := func(l baseline.LogNormal) schema.OptionalFloat {
		return figure(max(0, math.Exp(l.Mean)-addedBeforeLog[st]))
	}
	c.Peers = median(amount.ForGroup(r.agent.group, 0))
	c.UsualOf, c.Usual = amount.UsualOf(r.agent.key, r.agent.group), median(amount.ForAgent(r.agent.key, r.agent.group, 0))
	if amount.Groups[baseline.Humans].N >= minHumanSamples {
		c.Humans = median(amount.ForGroup(baseline.Humans, 0))
	}
}

// setRate sets the values of a statistic that is a CUSUM: rates of its event.
func (x *explanation) setRate(c *schema.Contribution, st statistic) {
	r := x.run
	k, event := &r.cusum[st], specs[st].event
	if k.trials > 0 {
		c.Observed = figure(float64(k.hits) / float64(k.trials))
		c.Hits, c.OfCalls = uint64(k.hits), uint64(k.trials)
	}
	if _, fixed := strangerRates[event]; fixed && r.agent.stranger() { // compared with a fixed rate and with nobody's
		c.UsualOf = baseline.WhyNothingLearned
		return
	}
	c.Usual = figure(x.usualRate(event, r.model.rates(r.agent, x.route, true)))
	c.UsualOf = r.learned().UsualOf(event, r.agent.key, r.agent.group)
	c.Peers = figure(x.usualRate(event, r.model.rates(r.agent, x.route, false)))
	if h, ok := r.learned().Groups[baseline.Humans]; ok && h.ForEvent(event).Calls >= minHumanSamples {
		humans := r.model.rates(&agent{group: baseline.Humans, peers: r.model.peers(baseline.Humans)}, x.route, false)
		c.Humans = figure(x.usualRate(event, humans))
	}
}

// usualRate returns the mean rate of an event over its cells, weighted by the number of the run's calls in each cell.
func (x *explanation) usualRate(e feature.Event, rate func(feature.Event, feature.Cell) float64) float64 {
	from, to := e.CellRange()
	sum, calls := 0.0, 0.0
	for c := from; c < to; c++ {
		n := float64(x.run.trials[c])
		sum += n * rate(e, c)
		calls += n
	}
	if calls == 0 {
		return rate(e, from)
	}
	return sum / calls
}

// unknownContribution returns a contribution with a score and without values.
func unknownContribution(name string, score float64) schema.Contribution {
	return schema.Contribution{Feature: name, Observed: schema.Unknown, Usual: schema.Unknown, Peers: schema.Unknown, Humans: schema.Unknown,
		Score: figure(score)}
}

// figure rounds a number to four significant digits.
func figure(x float64) schema.OptionalFloat { return schema.OptionalFloat(calibrate.RoundDigits(x)) }

// medianCount returns the median count of runs, or unknown when there are none.
func medianCount(r baseline.RunCounts) schema.OptionalFloat {
	n, ok := r.Median()
	if !ok {
		return schema.Unknown
	}
	return schema.OptionalFloat(n)
}

// medianAmount returns the median of a log-normal amount.
func medianAmount(l baseline.LogNormal) schema.OptionalFloat { return figure(math.Exp(l.Mean)) }
