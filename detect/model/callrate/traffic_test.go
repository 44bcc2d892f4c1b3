package callrate

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/cespare/xxhash/v2"
)

// traffic simulates calls minute by minute. It is not gamma-Poisson by the hour of the week, as the model assumes:
// people come to work and leave, runs are bursts of log-normal size, calls cause further calls, jobs start at fixed
// times, feeds are on and off for Pareto-distributed times, and rates change from day to day and from week to week.
type traffic struct {
	seed  uint64
	r     *rand.Rand // of the current caller
	weeks int
	first int // hour of the week of the first minute

	drift    float64 // growth per week
	holidays []int   // weeks in which people do not work
	summer   int     // first week of daylight saving time; 0: none
}

const (
	minutesADay  = 24 * 60
	minutesAWeek = 7 * minutesADay
)

// caller is a simulated agent: its calls by the minute.
type caller struct {
	agent, group string
	minutes      []uint16
	quarters     []uint32
	people       bool // it follows working hours
	zone         int  // hours ahead of UTC
	ignored      bool // is learned from, and is not watched
}

func (g *traffic) new(group, kind string, n int) *caller {
	name := fmt.Sprintf("%s/%s-%d", group, kind, n)
	g.r = rand.New(rand.NewPCG(g.seed, xxhash.Sum64String(name)))
	return &caller{agent: name, group: group, minutes: make([]uint16, g.weeks*minutesAWeek)}
}

func (c *caller) add(at float64, n int) {
	if m := int(at); m >= 0 && m < len(c.minutes) {
		c.minutes[m] = uint16(min(int(c.minutes[m])+max(n, 0), math.MaxUint16))
	}
}

// growth returns the factor of the rate at a minute.
func (g *traffic) growth(minute int) float64 {
	return math.Pow(1+g.drift, float64(minute)/minutesAWeek)
}

// people returns the share of people at work at a minute, 0 to 1, interpolated linearly between the hours of a day.
func (g *traffic) people(minute, zone int) float64 {
	week := minute / minutesAWeek
	if g.summer > 0 && week >= g.summer {
		zone++
	}
	local := (minute + g.first*60 + zone*60) % minutesAWeek
	day, at := local/minutesADay, float64(local%minutesADay)/60
	curve := [...][2]float64{{0, .02}, {7, .02}, {9.5, 1}, {12, .9}, {12.5, .45}, {13.5, .95}, {17, .7}, {19, .1}, {22, .04}, {24, .02}}
	v := 0.0
	for i := 1; i < len(curve); i++ {
		if a, b := curve[i-1], curve[i]; at >= a[0] && at < b[0] {
			v = a[1] + (b[1]-a[1])*(at-a[0])/(b[0]-a[0])
		}
	}
	switch day {
	case 0:
		v *= 1.2
	case 5:
		v *= .12
	case 6:
		v *= .05
	}
	for _, h := range g.holidays {
		if week == h {
			v *= .12
		}
	}
	return v
}

// desk adds an agent that people start: runs of log-normal size, calls at intervals of seconds, days
// that are similar to the day before.
func (g *traffic) desk(n, zone int) *caller {
	c := g.new("desk", "agent", n)
	c.people, c.zone = true, zone
	runs := math.Exp(g.r.NormFloat64()*.8 + math.Log(6)) // an hour at noon
	size, sd := math.Exp(g.r.NormFloat64()*.3+math.Log(9)), .7
	mood := 0.0
	for m := range c.minutes {
		if m%minutesADay == 0 {
			mood = .6*mood + .3*g.r.NormFloat64()
		}
		if g.r.Float64() >= runs/60*g.people(m, zone)*math.Exp(mood)*g.growth(m) {
			continue
		}
		at := float64(m) + g.r.Float64()
		for range 1 + int(size*math.Exp(sd*g.r.NormFloat64())) {
			c.add(at, 1)
			at += g.r.ExpFloat64() * 5 / 60
		}
	}
	return c
}

// excited adds an agent whose calls cause further calls: each causes 0.7 calls on average
// (Hawkes 1971), about a minute later.
func (g *traffic) excited(n int) *caller {
	c := g.new("search", "agent", n)
	base := .05 * math.Exp(g.r.NormFloat64()*.7)
	var later []float64
	for m := range c.minutes {
		day := 1 + .8*math.Sin(2*math.Pi*(float64(m+g.first*60)/minutesADay-.3))
		if g.r.Float64() < base*day*g.growth(m) {
			later = append(later, float64(m)+g.r.Float64())
		}
		for i := 0; i < len(later); i++ {
			if int(later[i]) != m {
				continue
			}
			c.add(later[i], 1)
			for g.r.Float64() < .7/1.7 { // geometric with the mean .7
				later = append(later, later[i]+g.r.ExpFloat64()*1.5)
			}
			later[i] = later[len(later)-1]
			later = later[:len(later)-1]
			i--
		}
	}
	return c
}

// job adds an agent that runs every night at 03:00 UTC, with twice as many calls in one of twelve nights, and with a
// longer run on Sundays at 22:00.
func (g *traffic) job(n int) *caller {
	c := g.new("ops", "job", n)
	calls := 60 + g.r.IntN(200)
	for m := range c.minutes {
		local := (m + g.first*60) % minutesAWeek
		size := 0
		if local%minutesADay == 3*60 {
			size = calls
			if g.r.IntN(12) == 0 {
				size *= 2
			}
		}
		if local == 6*minutesADay+22*60 {
			size = 4 * calls
		}
		for i := range size {
			c.add(float64(m)+float64(i)/60, 1)
		}
	}
	return c
}

// poller adds an agent that polls every five minutes. Its API is sometimes unavailable for two hours,
// and then it catches up.
func (g *traffic) poller(n int) *caller {
	c := g.new("ops", "poller", n)
	away, missed := 0, 0
	for m := range c.minutes {
		if g.r.Float64() < 1./(10*minutesADay) {
			away = 120
		}
		if away > 0 {
			if away--; m%5 == 0 {
				missed++
			}
			continue
		}
		if m%5 == n%5 {
			c.add(float64(m), 3+min(missed, 2))
			missed = max(missed-2, 0)
		}
	}
	return c
}

// feed adds an agent that is on and off for Pareto-distributed times of infinite variance.
func (g *traffic) feed(n int) *caller {
	c := g.new("feed", "agent", n)
	pareto := func(least, shape, most float64) int {
		return int(min(least*math.Pow(1-g.r.Float64(), -1/shape), most))
	}
	for m := pareto(20, 1.4, minutesADay); m < len(c.minutes); {
		rate := 2 + 4*g.r.Float64()
		for end := m + pareto(3, 1.5, 600); m < end; m++ {
			c.add(float64(m), int(rate+g.r.Float64()))
		}
		m += pareto(60, 1.3, 2*minutesADay)
	}
	return c
}

// service adds an agent that calls forty times a minute, day and night, with a slowly changing rate.
func (g *traffic) service(n int) *caller {
	c := g.new("feed", "service", n)
	level, wander := math.Log(10+30*g.r.Float64()), 0.0
	for m := range c.minutes {
		wander = .998*wander + .012*g.r.NormFloat64()
		rate := math.Exp(level+wander) * (.15 + .85*g.people(m, 0)) * g.growth(m)
		c.add(float64(m), int(rate+g.r.NormFloat64()*math.Sqrt(rate)+.5))
	}
	return c
}

// fleet makes forty-six agents. One of the desk agents works in another time zone.
func (g *traffic) fleet() []*caller {
	var out []*caller
	for i := range 20 {
		out = append(out, g.desk(i, 1))
	}
	out = append(out, g.desk(20, -9))
	for i := range 8 {
		out = append(out, g.excited(i))
	}
	for i := range 6 {
		out = append(out, g.job(i))
	}
	for i := range 4 {
		out = append(out, g.poller(i))
	}
	for i := range 4 {
		out = append(out, g.feed(i))
	}
	for i := range 3 {
		out = append(out, g.service(i))
	}
	return count(out...)
}

// count sums up the quarters of the callers.
func count(callers ...*caller) []*caller {
	for _, c := range callers {
		c.quarters = make([]uint32, len(c.minutes)/15)
		for m, n := range c.minutes {
			c.quarters[m/15] += uint32(n)
		}
	}
	return callers
}

func newTraffic(seed uint64, weeks int) *traffic {
	return &traffic{seed: seed, weeks: weeks, first: 13}
}

// series returns the series of the hours [from, to), in the form of the query over stored calls.
func series(callers []*caller, from, to int) []Series {
	var out []Series
	for _, c := range callers {
		s := Series{Agent: c.agent, Group: c.group}
		for at := from; at < to; at++ {
			var cell HourCounts
			for q := range 4 {
				if n := float64(c.quarters[4*at+q]); n > 0 {
					cell.ActiveQuarters++
					cell.Calls += n
					cell.Squares += n * n
					cell.Max = max(cell.Max, n)
				}
			}
			if cell.ActiveQuarters > 0 {
				cell.Hour = int32(at - from)
				s.Cells = append(s.Cells, cell)
			}
		}
		if len(s.Cells) > 0 {
			out = append(out, s)
		}
	}
	return out
}
