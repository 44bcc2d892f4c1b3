package callrate

import "flyball/detect/model/calibrate"

// Model holds the call rates of a baseline. It is learned from counts of closed hours and
// published with the baseline.
type Model struct {
	Weeks       int                  `json:"weeks"`         // number of weeks that it was learned from
	Cut         bool                 `json:"cut,omitempty"` // more hours were stored than were read
	All         GroupRate            `json:"all"`
	Groups      map[string]GroupRate `json:"groups"`
	Agents      map[string]AgentRate `json:"agents"`
	Calibration calibrate.Fit        `json:"calibration"` // of the score of an actor's day, by the newest week and a model without it
}

// GroupRate is the call rate of a peer group, or of all agents.
type GroupRate struct {
	Level          float64   `json:"level"`             // mean calls of an agent in a quarter of an hour, over a week
	RelVariance    float64   `json:"doubt"`             // squared coefficient of variation of the levels of its agents
	Spread         float64   `json:"spread"`            // variance of the calls of a quarter, as a multiple of their mean
	ActiveQuarters float64   `json:"seen"`              // quarters with a call in a day with calls
	Factors        []float64 `json:"factors,omitempty"` // of the hours of the week, with the mean 1; empty means 1 for all
	// Agents is the number of its agents with MinOwnDays days of calls, and OwnLevel the mean level of all its agents,
	// not shrunk to that of everybody; 0: not recorded.
	Agents   int     `json:"agents,omitempty"`
	OwnLevel float64 `json:"own_level,omitempty"`
}

// AgentRate is the call rate of an agent for one of its actors. The factors of the hours are those of its peers.
type AgentRate struct {
	Level          float64 `json:"level"`
	RelVariance    float64 `json:"doubt"` // squared coefficient of variation of the posterior of its level
	Spread         float64 `json:"spread"`
	ActiveQuarters float64 `json:"seen"`
	Days           int     `json:"days,omitempty"` // days with calls that it was learned from; 0: not recorded
}

// UsualRate is the usual number of calls in a quarter of an hour.
type UsualRate struct {
	NegativeBinomial         // for the highest factor of the hour, the one before and the one after
	Calls            float64 // mean of the agent
	Peers            float64 // mean of its peers
	ActiveQuarters   float64 // quarters of a day with calls
}

// driftVariance is added to the squared coefficient of variation of a level, because a level changes over time: a rate
// that grows by 5 % a week differs by 10 % from the mean of a window of four weeks.
const driftVariance = .05

// UsualAt returns the usual rate of an agent in an hour of the week. An unknown agent has the level of its peers, with
// the variance of their levels, and an agent of an unknown group that of all agents. Whether the rate may be used for a
// caller is the answer of Abstains.
func (b *Model) UsualAt(agent, group string, hour int) UsualRate {
	peers, ok := b.Groups[group]
	if !ok {
		peers = b.All
	}
	a, ok := b.Agents[rateKey(agent, group)]
	if !ok {
		a = AgentRate{Level: peers.Level, RelVariance: peers.RelVariance, Spread: peers.Spread, ActiveQuarters: peers.ActiveQuarters}
	}
	f := peers.factor(hour)
	return UsualRate{
		NegativeBinomial: negativeBinomial(max(a.Level*peers.busiest(hour), minLevel), a.Spread, a.RelVariance+driftVariance),
		Calls:            a.Level * f,
		Peers:            peers.Level * f,
		ActiveQuarters:   a.ActiveQuarters,
	}
}

func (p *GroupRate) factor(hour int) float64 {
	if len(p.Factors) != HoursPerWeek {
		return 1
	}
	return p.Factors[hour]
}

// busiest returns the highest factor of the hour, the hour before and the hour after, because working hours move by an
// hour when daylight saving time begins or ends. Without it four times as many days alarm in the week after
// (TestSimulatedClockChangeIsNoStorm).
func (p *GroupRate) busiest(hour int) float64 {
	return max(p.factor((hour+HoursPerWeek-1)%HoursPerWeek), p.factor(hour), p.factor((hour+1)%HoursPerWeek))
}

// negativeBinomial returns the distribution with the variance spread·mean + doubt·mean². The first term is proportional
// to the mean, because an hour with fewer calls has fewer runs and not smaller ones (compound Poisson). The second term
// is the uncertainty of the rate, which is proportional to the square of the mean.
func negativeBinomial(mean, spread, doubt float64) NegativeBinomial {
	return NegativeBinomial{Mean: mean, Size: mean / (spread - 1 + doubt*mean)}
}
