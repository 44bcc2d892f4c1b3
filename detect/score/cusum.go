package score

import (
	"math"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
)

// increments are what each trial adds to each CUSUM, for one agent on one route: from
// stepsFrom of the statistic on, [cell within the event][0 miss, 1 hit]. A pair of
// zeroes is a CUSUM that cannot tell the alternative from the usual rate.
type increments [incrementCells][2]float64

// incrementCells are the cells of all CUSUMs' events one after another.
const incrementCells = 16

var firstIncrement = func() (out [numCusums]feature.Cell) {
	at := feature.Cell(0)
	for st := range numCusums {
		from, to := specs[st].event.CellRange()
		out[st], at = at, at+to-from
	}
	return out
}()

// add is what a trial adds to a statistic.
func (s *increments) add(st statistic, t feature.Trial) float64 {
	from, _ := specs[st].event.CellRange()
	hit := 0
	if t.Hit {
		hit = 1
	}
	return s[firstIncrement[st]+t.Cell-from][hit]
}

func makeIncrements(rate func(feature.Event, feature.Cell) float64) (out increments) {
	for st := range numCusums {
		sp := &specs[st]
		from, to := sp.event.CellRange()
		for c := from; c < to; c++ {
			p := rate(sp.event, c)
			out[firstIncrement[st]+c-from] = [2]float64{increment(p, sp.p1, false), increment(p, sp.p1, true)}
		}
	}
	return out
}

// increment is the log-likelihood ratio of one trial, Bernoulli(p1) against
// Bernoulli(p) (Page 1954, Reynolds and Stoumbos 1999). An alternative that the
// usual rate has overtaken moves above it.
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

// rates of an agent on a route, its own or its peers'.
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
