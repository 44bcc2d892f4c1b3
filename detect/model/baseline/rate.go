package baseline

import (
	"math"

	"flyball/detect/feature"
)

// shrinkage holds the limits and the weights of priors for an event's rate.
type shrinkage struct {
	floor, ceiling float64
	level          float64 // weight of the parent level, in calls
	agent          float64 // weight of the peers in the agent's own rate, in calls
}

var shrinkages = [feature.NumEvents]shrinkage{
	feature.Repeats:   {.005, .6, 10, 4},
	feature.Retries:   {.002, .6, 20, 8},
	feature.Failures:  {.01, .6, 20, 8},
	feature.Sweeps:    {.01, .8, 20, 8},
	feature.SweepsAny: {.01, .8, 20, 8},
	feature.Deletions: {.002, .6, 20, 8},
}

// towards returns the posterior mean of a rate under a beta prior with the parent's rate and a weight in
// calls.
func (c Count) towards(parent, weight float64) float64 {
	return (c.Hits + weight*parent) / (c.Calls + weight)
}

// overallRate returns the rate of an event over all its cells, under a beta prior of 20
// calls with half a hit.
func (c *Counts) overallRate(e feature.Event) float64 {
	total := c.ForEvent(e)
	return (total.Hits + .5) / (total.Calls + 20)
}

// Rate returns the probability of a cell's event on a route. It is shrunk in levels: from all runs
// to the stratum, to the peers in the stratum, to the peers on this route. The shrunk odds ratio of the agent
// to its peers is added as an offset in
// logits; with agent nil the result is the peers' rate. The result is limited to the floor and the ceiling of the
// event.
func Rate(e feature.Event, cell feature.Cell, all, group, route, agent *Counts) float64 {
	k := &shrinkages[e]
	everybody := all.overallRate(e)
	stratum := all[cell].towards(everybody, k.level)
	peers := group[cell].towards(stratum, k.level)
	p := route[cell].towards(peers, k.level)
	if agent != nil {
		group := group.ForEvent(e).towards(everybody, k.level)
		own := agent.ForEvent(e).towards(group, k.agent)
		p = 1 / (1 + math.Exp(-(logit(p) + logit(own) - logit(group))))
	}
	return min(max(p, k.floor), k.ceiling)
}

// nearOne is the largest number below 1, so that a rate that is rounded to 1 has finite odds.
const nearOne = 1 - 1.0/(1<<53)

func logit(p float64) float64 {
	p = min(max(p, math.SmallestNonzeroFloat64), nearOne)
	return math.Log(p) - math.Log1p(-p)
}
