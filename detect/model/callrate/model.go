package callrate

import "flyball/detect/model/calibrate"

// Model is what a baseline knows of pace. It follows from counts of closed hours and
// is published with the baseline.
type Model struct {
	Weeks       int                  `json:"weeks"`         // that were looked at
	Cut         bool                 `json:"cut,omitempty"` // more was stored than was read
	All         GroupRate            `json:"all"`
	Groups      map[string]GroupRate `json:"groups"`
	Agents      map[string]AgentRate `json:"agents"`
	Calibration calibrate.Fit        `json:"calibration"` // of the score of a day of an actor, by a week that the rest had not seen
}

// GroupRate are a group of agents, or everybody.
type GroupRate struct {
	Level          float64   `json:"level"`             // calls of an agent in a quarter of an hour, on the average of a week
	RelVariance    float64   `json:"doubt"`             // squared coefficient of variation of the levels of its agents
	Spread         float64   `json:"spread"`            // variance of the calls of a quarter, as a multiple of their mean
	ActiveQuarters float64   `json:"seen"`              // quarters with a call, on a day with one
	Factors        []float64 `json:"factors,omitempty"` // of the hours of the week, 1 on the average; none: 1
}

// AgentRate is an agent at any one of its actors. Its hours are its peers'.
type AgentRate struct {
	Level          float64 `json:"level"`
	RelVariance    float64 `json:"doubt"` // of its level: squared coefficient of variation of the posterior
	Spread         float64 `json:"spread"`
	ActiveQuarters float64 `json:"seen"`
}

// UsualRate is what is usual in a quarter of an hour.
type UsualRate struct {
	NegativeBinomial         // of the busiest of the hour and those beside it
	Calls            float64 // mean of the agent
	Peers            float64 // and of its peers
	ActiveQuarters   float64 // quarters a day with a call
}

// driftVariance is the squared coefficient of variation that a level is given beyond what
// its past shows: a rate that grows by a twentieth a week is a tenth off before a
// window of four weeks has followed, and weeks differ.
const driftVariance = .05

// UsualAt is what is usual for an agent in an hour of the week. Of an agent that is not
// known, its peers' level is as uncertain as their levels differ.
func (b *Model) UsualAt(agent, group string, hour int) UsualRate {
	peers, ok := b.Groups[group]
	if !ok {
		peers = b.All
	}
	a, ok := b.Agents[agent]
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

// busiest of the hour and those beside it: people come in early, and twice a year
// their clocks are changed. Without it four times as many days alarm in the week
// after (TestSimulatedClockChangeIsNoStorm).
func (p *GroupRate) busiest(hour int) float64 {
	return max(p.factor((hour+HoursPerWeek-1)%HoursPerWeek), p.factor(hour), p.factor((hour+1)%HoursPerWeek))
}

// negativeBinomial has the variance spread·mean + doubt·mean²: in an hour with fewer calls there
// are fewer runs, not smaller ones, so that the first part goes with the mean (as of
// a compound Poisson); what is uncertain of the rate goes with its square.
func negativeBinomial(mean, spread, doubt float64) NegativeBinomial {
	return NegativeBinomial{Mean: mean, Size: mean / (spread - 1 + doubt*mean)}
}
