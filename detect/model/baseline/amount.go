package baseline

import "math"

// Amount is what is known of one amount of a run: moments of its natural logarithm, of
// everybody, of peer groups and of agents.
type Amount struct {
	All    Moments            `json:"all"`
	Groups map[string]Moments `json:"groups"`
	Agents map[string]Moments `json:"agents"`
}

func newAmount() Amount { return Amount{Groups: map[string]Moments{}, Agents: map[string]Moments{}} }

// Add counts a run's amount. Less than 1, or no number, counts as 1: the logarithm of 0
// would make every sum infinite.
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

// pseudoRuns is what the parent level weighs in mean and variance, in runs.
const pseudoRuns = 20

// ForAgent is the distribution for an agent: mean and variance shrunk to its peers', and
// theirs to everybody's. The variance of a level includes how far its mean lies from the
// parent's, so that few runs widen the tail instead of narrowing it. minSD bounds the
// standard deviation from below.
func (a *Amount) ForAgent(agent, group string, minSD float64) LogNormal {
	m, v := a.everybody()
	m, v = a.Groups[group].towards(m, v)
	m, v = a.Agents[agent].towards(m, v)
	return LogNormal{m, max(math.Sqrt(v), minSD)}
}

// ForGroup is the same for a peer group.
func (a *Amount) ForGroup(group string, minSD float64) LogNormal {
	m, v := a.everybody()
	m, v = a.Groups[group].towards(m, v)
	return LogNormal{m, max(math.Sqrt(v), minSD)}
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

// shrunk is mean and variance under so many pseudo-observations of the parent's.
func (m Moments) shrunk(mean, variance, pseudo float64) (float64, float64) {
	own := (m.Sum + pseudo*mean) / (m.N + pseudo)
	squares := max(m.Sum2-2*own*m.Sum+m.N*own*own, 0)
	return own, (squares + pseudo*(variance+(own-mean)*(own-mean))) / (m.N + pseudo)
}
