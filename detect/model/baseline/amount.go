package baseline

import "math"

// LogNormal is the distribution of a run's amount.
type LogNormal struct{ Mean, SD float64 }

// Pseudo-runs of the parent level in mean and variance.
const pseudoRuns = 20

// ForAgent an agent: mean and variance of the logarithm shrunk to the peers, theirs to
// everybody. The variance of a level counts how far its mean lies from the
// parent's, so that few runs widen the tail instead of narrowing it. least
// bounds the standard deviation from below.
func (a *Amount) ForAgent(agent, group string, least float64) LogNormal {
	m, v := a.everybody()
	m, v = a.Groups[group].towards(m, v)
	m, v = a.Agents[agent].towards(m, v)
	return LogNormal{m, max(math.Sqrt(v), least)}
}

// ForGroup is the same for the peers.
func (a *Amount) ForGroup(group string, least float64) LogNormal {
	m, v := a.everybody()
	m, v = a.Groups[group].towards(m, v)
	return LogNormal{m, max(math.Sqrt(v), least)}
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

// shrunk is the mean and the variance under so many pseudo-observations of a parent.
func (m Moments) shrunk(mean, variance, pseudo float64) (float64, float64) {
	own := (m.Sum + pseudo*mean) / (m.N + pseudo)
	squares := max(m.Sum2-2*own*m.Sum+m.N*own*own, 0)
	return own, (squares + pseudo*(variance+(own-mean)*(own-mean))) / (m.N + pseudo)
}
