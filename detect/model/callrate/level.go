package callrate

import (
	"cmp"
	"slices"

	"flyball/detect/model/calibrate"
)

const (
	minLevel  = 1e-6 // calls a quarter of an hour
	minSpread = 1.25 // never Poisson
	// Weights of the level above, as pseudo-counts: active quarters for an agent's spread, days for its active quarters in a
	// day, agents for a group's figures.
	spreadQuarters = 20
	seenDays       = 5
	peerAgents     = 5
	// Limits of the squared coefficient of variation of the levels of peers.
	minDoubt, maxDoubt = .1, 20
)

// measure estimates an agent's level and spread, given the factors.
func (a *agent) measure(s *shape, weeks, first int) {
	f := func(at int) float64 { return s.hour[(first+at)%HoursPerWeek] }
	a.weeks = make([]tally, weeks)
	a.hours(func(at int, c *HourCounts) { a.weeks[at/HoursPerWeek].add(tally{c.Calls, 4 * f(at)}) })
	sum := a.steady(a.weeks, true)
	a.level = max(sum.ratio(), minLevel)
	squares := make([]tally, weeks) // distances from the mean, against the mean
	a.hours(func(at int, c *HourCounts) {
		q := a.level * f(at)
		squares[at/HoursPerWeek].add(tally{c.Squares - 2*q*c.Calls + 4*q*q, 4 * q})
	})
	sum = a.steady(squares, false)
	a.spread = max(sum.ratio(), minSpread)
}

// steady returns the sum of the weeks. When three or more weeks have calls, the highest week is lowered to the second
// highest, and with low the lowest is raised to the second lowest, so that an incident or a holiday does not change the
// level.
func (a *agent) steady(weeks []tally, low bool) (sum tally) {
	var busy []tally
	for w, t := range weeks {
		switch {
		case a.weeks[w].seen > 0:
			busy = append(busy, t)
		default:
			sum.add(t)
		}
	}
	slices.SortStableFunc(busy, func(x, y tally) int { return cmp.Compare(x.ratio(), y.ratio()) })
	if n := len(busy); n >= minRepeats {
		busy[n-1].seen = busy[n-2].ratio() * busy[n-1].expected
		if low {
			busy[0].seen = busy[1].ratio() * busy[0].expected
		}
	}
	for _, t := range busy {
		sum.add(t)
	}
	return sum
}

// posterior returns the rate of an agent: the posterior of a gamma prior with the mean and the variance of its peers. The
// observations are arrivals, not calls.
func (a *agent) posterior(p GroupRate) AgentRate {
	spread := (a.active*a.spread + spreadQuarters*p.Spread) / (a.active + spreadQuarters)
	sum := a.steady(a.weeks, true)
	shape := 1/p.RelVariance + sum.seen/spread
	return AgentRate{
		Level: shape / (1/(p.RelVariance*p.Level) + sum.expected/spread), RelVariance: 1 / shape, Spread: max(spread, minSpread),
		ActiveQuarters: (a.active + seenDays*p.ActiveQuarters) / (a.days + seenDays), Days: len(a.dates),
	}
}

// groupRate estimates the rate of a group of agents, shrunk to the rate above.
func groupRate(agents []*agent, above GroupRate, s *shape) GroupRate {
	n, levels, spreads, trust, active, days := 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
	for _, a := range agents {
		n++
		levels += a.level
		w := a.active / (a.active + spreadQuarters)
		spreads += w * a.spread
		trust += w
		active += a.active
		days += a.days
	}
	p := GroupRate{
		Level:          (levels + peerAgents*above.Level) / (n + peerAgents),
		Spread:         (spreads + peerAgents*above.Spread) / (trust + peerAgents),
		ActiveQuarters: (active + seenDays*above.ActiveQuarters) / (days + seenDays),
		Factors:        s.hour[:],
		OwnLevel:       levels / n,
	}
	for _, a := range agents {
		if len(a.dates) >= MinOwnDays {
			p.Agents++
		}
	}
	squares := peerAgents * above.RelVariance * p.Level * p.Level
	for _, a := range agents {
		squares += (a.level - p.Level) * (a.level - p.Level)
	}
	p.RelVariance = min(max(squares/(n+peerAgents)/(p.Level*p.Level), minDoubt), maxDoubt)
	return p
}

// round rounds all figures to four significant digits, to keep the published baseline small.
func (b *Model) round() {
	p := func(p GroupRate) GroupRate {
		for i := range p.Factors {
			p.Factors[i] = calibrate.RoundDigits(p.Factors[i])
		}
		return GroupRate{
			calibrate.RoundDigits(p.Level),
			calibrate.RoundDigits(p.RelVariance),
			calibrate.RoundDigits(p.Spread),
			calibrate.RoundDigits(p.ActiveQuarters),
			p.Factors,
			p.Agents,
			calibrate.RoundDigits(p.OwnLevel),
		}
	}
	b.All = p(b.All)
	for name, g := range b.Groups {
		b.Groups[name] = p(g)
	}
	for name, a := range b.Agents {
		b.Agents[name] = AgentRate{
			calibrate.RoundDigits(a.Level),
			calibrate.RoundDigits(a.RelVariance),
			calibrate.RoundDigits(a.Spread),
			calibrate.RoundDigits(a.ActiveQuarters),
			a.Days,
		}
	}
}
