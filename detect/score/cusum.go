package score

import (
	"math"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
)

// increments holds what each trial adds to each CUSUM, for one agent on one route. The index is
// firstIncrement of the statistic plus the cell within the event, then 0 for a miss and 1 for a hit. A pair of
// zeroes means that the usual rate is at least the alternative rate.
type increments [incrementCells][2]float64

// incrementCells is the number of cells of the events of all CUSUMs.
const incrementCells = 16

var firstIncrement = func() (out [numCusums]feature.Cell) {
	at := feature.Cell(0)
	for st := range numCusums {
		from, to := specs[st].event.CellRange()
		out[st], at = at, at+to-from
	}
	return out
}()

// add returns what a trial adds to a statistic.
func (s *increments) add(st statistic, t feature.Trial) float64 {
	from, _ := specs[st].event.CellRange()
	hit := 0
	if t.Hit {
		hit = 1
	}
	return s[firstIncrement[st]+t.Cell-from][hit]
}

// makeIncrements returns the increments of an agent by its rates, or the fixed ones of strangers.
func makeIncrements(a *agent, rate func(feature.Event, feature.Cell) float64) (out increments) {
	fixed := a.fixedRates()
	for st := range numCusums {
		sp, scale := &specs[st], 1.
		if a.stranger() {
			scale = strangerScale[st]
		}
		from, to := sp.event.CellRange()
		for c := from; c < to; c++ {
			p, isFixed := fixed[sp.event]
			if !isFixed {
				p = rate(sp.event, c)
			}
			out[firstIncrement[st]+c-from] = [2]float64{scale * increment(p, sp.p1, false), scale * increment(p, sp.p1, true)}
		}
	}
	return out
}

// increment returns the log-likelihood ratio of one trial, Bernoulli(p1) against Bernoulli(p) (Page 1954, Reynolds
// and Stoumbos 1999). The alternative p1 is raised to at least 1.5·p, at most .99, for a hit and for alternatives
// below ½.
func increment(p, p1 float64, hit bool) float64 {
	if hit || p1 < .5 {
		p1 = max(p1, min(.99, 1.5*p))
	}
	switch {
	case p1 <= p:
		return 0
	case hit:
		return math.Log(p1 / p)
	}
	return math.Log((1 - p1) / (1 - p))
}

// rates returns a function for the rates of an agent on a route; with own false, for the rates of its peers.
func (m *Model) rates(a *agent, route uint64, own bool) func(feature.Event, feature.Cell) float64 {
	group := m.Baseline.Groups[a.group]
	onRoute := m.Baseline.Routes[a.group][a.peers.routes[route]]
	var counts *baseline.Counts
	if own {
		counts = a.counts
		if counts == nil {
			counts = &baseline.Counts{}
		}
	}
	return func(e feature.Event, c feature.Cell) float64 {
		return baseline.Rate(e, c, &m.Baseline.All, &group, &onRoute, counts)
	}
}
