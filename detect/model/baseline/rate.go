package baseline

import (
	"math"

	"flyball/detect/feature"
)

// shrinkage of an event's rate.
type shrinkage struct {
	floor, ceiling float64
	level          float64 // pseudo-calls of the parent level
	agent          float64 // pseudo-calls of the peers in the agent's own rate
}

var shrinkages = [feature.NumEvents]shrinkage{
	feature.Repeats:   {.005, .6, 10, 4},
	feature.Retries:   {.002, .6, 20, 8},
	feature.Failures:  {.01, .6, 20, 8},
	feature.Sweeps:    {.01, .8, 20, 8},
	feature.SweepsAny: {.01, .8, 20, 8},
	feature.Deletions: {.002, .6, 20, 8},
}

// towards is the posterior mean of a rate under a beta prior worth weight calls
// at the parent's rate.
func (c Count) towards(parent, weight float64) float64 {
	return (c.Hits + weight*parent) / (c.Calls + weight)
}

// overallRate is the rate of an event over all its cells, under a beta prior worth 20
// calls, of which half a call is a hit.
func (c *Counts) overallRate(e feature.Event) float64 {
	total := c.ForEvent(e)
	return (total.Hits + .5) / (total.Calls + 20)
}

// Rate is the probability of a cell's event, shrunk from everybody over the
// stratum, the peers in the stratum, to the peers on this route. The agent's
// own odds ratio against its peers, itself shrunk, is added as an offset in
// logits; agent nil is the peers' rate. The result is clipped to what a model
// of a few calls can be trusted with.
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

// nearOne is the largest number below 1: a rate that so many calls have rounded to 1
// or to 0 has odds all the same.
const nearOne = 1 - 1.0/(1<<53)

func logit(p float64) float64 {
	p = min(max(p, math.SmallestNonzeroFloat64), nearOne)
	return math.Log(p) - math.Log1p(-p)
}
