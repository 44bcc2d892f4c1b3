package callrate

import (
	"cmp"
	"slices"
)

// Series holds the calls of one agent for one actor, sorted by time.
type Series struct {
	Agent, Group string
	Cells        []HourCounts
}

// HourCounts holds the counts of an hour with calls.
type HourCounts struct {
	Hour           int32   // hours since the beginning of the window
	ActiveQuarters int32   // quarters with a call
	Calls          float64 // calls in the hour
	Squares        float64 // sum of the squared counts of its quarters
	Max            float64 // calls in the quarter with the most calls
}

// agent holds the counts of one agent within the part of the window that is learned from.
type agent struct {
	key, group string
	series     []member

	level  float64 // before shrinkage
	spread float64 // before shrinkage: calls of one arrival
	weeks  []tally // newest last: calls, and quarters weighted by the factors
	active float64 // quarters with a call
	days   float64 // days with a call, counted for each actor
	dates  map[int32]struct{}
}

// member is a series and the range of hours that counts for it: whole days, from its
// first call to its last.
type member struct {
	cells    []HourCounts
	from, to int
}

// groupByAgent collects the series by agent, sorted by key, up to an hour of the window.
func groupByAgent(series []Series, until int) []*agent {
	by := map[string]*agent{}
	var out []*agent
	for i := range series {
		s := &series[i]
		n, _ := slices.BinarySearchFunc(s.Cells, until, func(c HourCounts, at int) int { return int(c.Hour) - at })
		if n == 0 {
			continue
		}
		key := rateKey(s.Agent, s.Group)
		a := by[key]
		if a == nil {
			a = &agent{key: key, group: s.Group, dates: map[int32]struct{}{}}
			by[key] = a
			out = append(out, a)
		}
		cells := s.Cells[:n]
		m := member{cells: cells, from: int(cells[0].Hour) / 24 * 24, to: min((int(cells[n-1].Hour)/24+1)*24, until)}
		a.series = append(a.series, m)
		day := int32(-1)
		for _, c := range cells {
			a.active += float64(c.ActiveQuarters)
			if c.Hour/24 != day {
				day = c.Hour / 24
				a.days++
				a.dates[day] = struct{}{}
			}
		}
	}
	slices.SortFunc(out, func(x, y *agent) int { return cmp.Compare(x.key, y.key) })
	return out
}

// hours calls each with every hour in the range of the agent's series and the counts of that hour.
func (a *agent) hours(each func(at int, c *HourCounts)) {
	var none HourCounts
	for i := range a.series {
		m := &a.series[i]
		next := 0
		for at := m.from; at < m.to; at++ {
			c := &none
			if next < len(m.cells) && int(m.cells[next].Hour) == at {
				c = &m.cells[next]
				next++
			}
			each(at, c)
		}
	}
}
