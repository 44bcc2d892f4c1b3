package callrate

import (
	"flyball/detect/model/calibrate"
	"flyball/schema"
)

// Fit learns call rates from the calls of a window of whole weeks. first is the hour of the week in which the window
// begins. The newest week is used for the calibration: it is scored by a model of the weeks before it. Fit returns
// nil for fewer than two weeks and for a window without calls.
func Fit(series []Series, weeks, first int) *Model {
	return fit(series, weeks, first, true)
}

// fit is Fit, with all factors 1 unless seasonal is set. Tests use this to measure the effect of the factors.
func fit(series []Series, weeks, first int, seasonal bool) *Model {
	if weeks < 2 {
		return nil
	}
	before := learn(series, weeks-1, first, seasonal)
	calibration := calibration(before, series, weeks-1, first)
	body := learn(series, weeks, first, seasonal)
	if body == nil {
		return nil
	}
	body.Calibration = calibration
	body.round()
	return body
}

// learn makes an uncalibrated model of the first weeks of the window.
func learn(series []Series, weeks, first int, seasonal bool) *Model {
	agents := groupByAgent(series, weeks*HoursPerWeek)
	if len(agents) == 0 {
		return nil
	}
	everybody := flat()
	shapes := map[string]*shape{}
	for _, a := range agents {
		shapes[a.group] = everybody
	}
	for round := range 3 { // the levels and spreads depend on the factors, and the factors on them
		for _, a := range agents {
			a.measure(shapes[a.group], weeks, first)
		}
		if seasonal && round < 2 {
			everybody, shapes = fitShapes(agents, weeks, first)
		}
	}
	b := &Model{Weeks: weeks, Groups: map[string]GroupRate{}, Agents: make(map[string]AgentRate, len(agents))}
	groups := map[string][]*agent{}
	for _, a := range agents {
		groups[a.group] = append(groups[a.group], a)
	}
	b.All = groupRate(agents, GroupRate{Level: 1, RelVariance: 1, Spread: 5, ActiveQuarters: 8}, everybody)
	for name, list := range groups {
		b.Groups[name] = groupRate(list, b.All, shapes[name])
	}
	for _, a := range agents {
		b.Agents[a.key] = a.posterior(b.Groups[a.group])
	}
	return b
}

// fitShapes estimates the factors of all agents and of each group. It counts arrivals (calls divided by the spread)
// and not calls, which limits the weight of an agent that calls in bursts.
func fitShapes(agents []*agent, weeks, first int) (everybody *shape, groups map[string]*shape) {
	all := make([]tally, weeks*HoursPerWeek)
	tables := map[string][]tally{}
	for _, a := range agents {
		t := tables[a.group]
		if t == nil {
			t = make([]tally, weeks*HoursPerWeek)
			tables[a.group] = t
		}
		a.hours(func(at int, c *HourCounts) {
			v := tally{c.Calls / a.spread, 4 * a.level / a.spread}
			t[at].add(v)
			all[at].add(v)
		})
	}
	everybody = factors(all, first, flat())
	groups = make(map[string]*shape, len(tables))
	for name, t := range tables {
		groups[name] = factors(t, first, everybody)
	}
	return everybody, groups
}

// calibration fits the scores of the newest week by a model of the weeks before it. A score is the highest one of an
// actor in a day with calls. Actors of which those weeks teach nothing are left out, because such actors are not judged.
func calibration(b *Model, series []Series, week, first int) calibrate.Fit {
	var scores []float64
	if b != nil {
		for i := range series {
			if b.Acquaintance(series[i].Agent, series[i].Group) >= schema.NewAgent {
				scores = append(scores, dayScores(b, &series[i], week, first)...)
			}
		}
	}
	weights := make([]float64, len(scores))
	for i := range weights {
		weights[i] = 1
	}
	f := calibrate.FitScores(scores, weights)
	f.Scores, f.At = nil, nil // not needed: thresholds do not use the empirical tail
	return f
}

// dayScores returns the highest score of each day from a week on.
func dayScores(b *Model, s *Series, week, first int) (scores []float64) {
	day, highest := int32(-1), 0.0
	for _, c := range s.Cells {
		if int(c.Hour) < week*HoursPerWeek {
			continue
		}
		if c.Hour/24 != day {
			if day >= 0 {
				scores = append(scores, highest)
			}
			day, highest = c.Hour/24, 0
		}
		usual := b.UsualAt(s.Agent, s.Group, (first+int(c.Hour))%HoursPerWeek)
		highest = max(highest, usual.Score(uint64(c.Max)))
	}
	if day >= 0 {
		scores = append(scores, highest)
	}
	return scores
}
