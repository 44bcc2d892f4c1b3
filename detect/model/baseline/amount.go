package baseline

import (
	"math"

	"flyball/detect/feature"
)

// Amount holds the moments of the natural logarithm of an amount of a run, for all runs, for peer groups and for
// agents.
type Amount struct {
	All    Moments            `json:"all"`
	Groups map[string]Moments `json:"groups"`
	Agents map[string]Moments `json:"agents"`
}

func newAmount() Amount { return Amount{Groups: map[string]Moments{}, Agents: map[string]Moments{}} }

// Add counts a run's amount. A value below 1 or NaN counts as 1, because the logarithm of 0
// would make the sums infinite.
func (a *Amount) Add(agent, group string, v float64) {
	if !(v >= 1) {
		v = 1
	}
	x := math.Log(min(v, math.MaxFloat64))
	a.All.add(x)
	m := a.Groups[group]
	m.add(x)
	a.Groups[group] = m
	m = a.Agents[agent]
	m.add(x)
	a.Agents[agent] = m
}

// LogNormal is a log-normal distribution: mean and standard deviation of the logarithm.
type LogNormal struct{ Mean, SD float64 }

// pseudoRuns is the weight of the parent level in mean and variance, in runs.
const pseudoRuns = 20

// ForAgent returns the distribution for an agent: mean and variance are shrunk to those of its peers, and
// those to all runs. The variance of a level includes the distance of its mean from the mean of the
// parent, so that few runs make the tail wider and not narrower. minSD is the minimum of the
// standard deviation.
func (a *Amount) ForAgent(agent, group string, minSD float64) LogNormal {
	m, v := a.everybody()
	m, v = a.Groups[group].towards(m, v)
	m, v = a.Agents[agent].towards(m, v)
	return LogNormal{m, max(math.Sqrt(v), minSD)}
}

// ForGroup returns the distribution for a peer group, computed as in ForAgent.
func (a *Amount) ForGroup(group string, minSD float64) LogNormal {
	m, v := a.everybody()
	m, v = a.Groups[group].towards(m, v)
	return LogNormal{m, max(math.Sqrt(v), minSD)}
}

// Names of whose past a usual value is of.
const (
	UsualOwn       = "own"       // the agent's, which outweighs what it is drawn towards
	UsualShrunk    = "shrunk"    // the agent's few runs, drawn towards its peers'
	UsualPeers     = "peers"     // its peers': there are no runs of the agent
	UsualEverybody = "everybody" // all agents': there are none of its peers either
)

// UsualOf names whose past the median of ForAgent is of.
func (a *Amount) UsualOf(agent, group string) string {
	return usualOf(a.Agents[agent].N, pseudoRuns, a.Groups[group].N)
}

// UsualOf names whose past the usual rate of an event is of.
func (b *Baseline) UsualOf(e feature.Event, agent, group string) string {
	own, peers := b.Agents[agent], b.Groups[group]
	return usualOf(own.ForEvent(e).Calls, shrinkages[e].agent, peers.ForEvent(e).Calls)
}

// usualOf names the source of a value of own samples that are drawn towards a prior with a weight.
func usualOf(own, weight, peers float64) string {
	switch {
	case own > weight:
		return UsualOwn
	case own > 0:
		return UsualShrunk
	case peers > 0:
		return UsualPeers
	}
	return UsualEverybody
}

func (a *Amount) everybody() (mean, variance float64) {
	if a.All.N == 0 {
		return 0, 1
	}
	mean = a.All.Sum / a.All.N
	return mean, max(a.All.Sum2/a.All.N-mean*mean, 0) + .05
}

func (m Moments) towards(mean, variance float64) (float64, float64) {
	return m.shrunk(mean, variance, pseudoRuns)
}

// shrunk returns mean and variance, shrunk to those of the parent by a number of pseudo-observations.
func (m Moments) shrunk(mean, variance, pseudo float64) (float64, float64) {
	own := (m.Sum + pseudo*mean) / (m.N + pseudo)
	squares := max(m.Sum2-2*own*m.Sum+m.N*own*own, 0)
	return own, (squares + pseudo*(variance+(own-mean)*(own-mean))) / (m.N + pseudo)
}
