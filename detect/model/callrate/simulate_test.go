package callrate

import (
	"math"
	"slices"
	"testing"
)

// All figures in this file are measured on simulated traffic: see traffic.

// outcome counts the alarms of watched callers, by models of the weeks up to one day before.
type outcome struct {
	days   int // days of a caller with a call
	alarms int
	by     map[string]int
	bodies []*Model // by day
}

func (o *outcome) add(p outcome) {
	o.days += p.days
	o.alarms += p.alarms
	for name, n := range p.by {
		o.by[name] += n
	}
}

const taughtWeeks = 4

// watch learns every day from the four weeks that ended a day before, and counts the
// alarms on that day. Consecutive quarters of an hour are one alarm.
func watch(g *traffic, callers []*caller, from, to int, share float64, seasonal bool) outcome {
	out := outcome{by: map[string]int{}}
	for day := from; day < to; day++ {
		body := g.learn(callers, day, seasonal)
		out.bodies = append(out.bodies, body)
		for _, c := range callers {
			if c.ignored {
				continue
			}
			seen, above := false, false
			for q := day * 96; q < day*96+96; q++ {
				n := uint64(c.quarters[q])
				seen = seen || n > 0
				was := above
				if above = false; n >= MinCalls {
					limit, ok := body.Limit(c.agent, c.group, (g.first+q/4)%HoursPerWeek, share)
					above = ok && n >= limit
				}
				if above && !was {
					out.alarms++
					out.by[c.agent]++
				}
			}
			if seen {
				out.days++
			}
		}
	}
	return out
}

// learn returns the model of a day.
func (g *traffic) learn(callers []*caller, day int, seasonal bool) *Model {
	start := (day - 1 - 7*taughtWeeks) * 24
	return fit(series(callers, start, (day-1)*24), taughtWeeks, (g.first+start)%HoursPerWeek, seasonal)
}

// never is the duration in minutes that counts for a flood without an alarm.
const never = 90

// flooded returns after how many minutes a flood alarms. rate is its calls a minute, minute its
// beginning.
func flooded(b *Model, g *traffic, c *caller, minute int, rate, share float64) int {
	n := 0.0
	for m := minute / 15 * 15; m < minute; m++ {
		n += float64(c.minutes[m])
	}
	for m := minute; m < minute+never; m++ {
		if m%15 == 0 {
			n = 0
		}
		n += float64(c.minutes[m]) + rate
		if limit, ok := b.Limit(c.agent, c.group, (g.first+m/60)%HoursPerWeek, share); ok && n >= float64(limit) {
			return m - minute + 1
		}
	}
	return never
}

// local returns the minute at which it is a given hour of a day in a time zone.
func (g *traffic) local(day, zone int, hour float64) int {
	return day*minutesADay + (int(hour*60)-zone*60-g.first*60%minutesADay+2*minutesADay)%minutesADay
}

func median(v []int) int { slices.Sort(v); return v[len(v)/2] }

// The share of days with an alarm is close to the nominal share of 1 %, for several fleets and two weeks. The tolerance
// covers chance, and traffic that does not follow the model.
func TestSimulatedFleetAlarmsAsOftenAsAsked(t *testing.T) {
	const share = .01
	total := outcome{by: map[string]int{}}
	for seed := range uint64(6) {
		g := newTraffic(seed, 8)
		g.drift = .02
		total.add(watch(g, g.fleet(), 42, 56, share, true))
	}
	rate := float64(total.alarms) / float64(total.days)
	t.Logf("simulated: %d alarms on %d days of agents, %.2f of nominal: %v", total.alarms, total.days, rate/share, total.by)
	if rate < .5*share || rate > 2*share {
		t.Errorf("%.4f of days alarm, %g were asked for", rate, share)
	}
}

// alarmsOf checks the alarms of a fleet with an anomaly, at a share of 0.1 %. It allows the number that twice
// the budget exceeds with a probability of 0.1 %.
func alarmsOf(t *testing.T, what string, total outcome) {
	t.Helper()
	const share = .001
	expected := 2 * share * float64(total.days)
	// The Poisson tail, computed as a sum.
	most, p, tail := 0, math.Exp(-expected), 1-math.Exp(-expected)
	for tail > .001 {
		most++
		p *= expected / float64(most)
		tail -= p
	}
	t.Logf("simulated: %s: %d alarms on %d days of agents, %.1f of nominal", what, total.alarms, total.days,
		float64(total.alarms)/float64(total.days)/share)
	if total.alarms > most {
		t.Errorf("%s: %d alarms on %d days, more than %d: %v", what, total.alarms, total.days, most, total.by)
	}
}

func TestSimulatedHolidayWeekSetsNoFactor(t *testing.T) {
	total := outcome{by: map[string]int{}}
	for seed := range uint64(4) {
		with, without := newTraffic(seed, 8), newTraffic(seed, 8)
		with.holidays = []int{4}
		away := with.fleet()
		// The two weeks after the holiday, when all people work again.
		total.add(watch(with, away, 36, 49, .001, true))
		a, b := with.learn(away, 44, true), without.learn(without.fleet(), 44, true)
		for h := range HoursPerWeek {
			x, y := a.Groups["desk"].Factors[h], b.Groups["desk"].Factors[h]
			if y > .5 && (x < .75*y || x > 1.33*y) {
				t.Errorf("seed %d, hour %d: factor %.2f with a holiday week among four, %.2f without", seed, h, x, y)
			}
		}
		x, y := a.Agents["desk/agent-3"].Level, b.Agents["desk/agent-3"].Level
		if x < .7*y {
			t.Errorf("seed %d: a level of %.2f with a holiday week, %.2f without", seed, x, y)
		}
	}
	alarmsOf(t, "back from a holiday", total)
}

func TestSimulatedJobAtThreeIsUsualAtThree(t *testing.T) {
	total := outcome{by: map[string]int{}}
	for seed := range uint64(8) {
		g := newTraffic(seed, 8)
		var jobs []*caller
		for i := range 12 {
			jobs = append(jobs, g.job(i))
		}
		total.add(watch(g, count(jobs...), 42, 56, .001, true))
	}
	alarmsOf(t, "jobs that fire by the clock", total)
}

func TestSimulatedDriftIsFollowed(t *testing.T) {
	total := outcome{by: map[string]int{}}
	for seed := range uint64(4) {
		g := newTraffic(seed, 8)
		g.drift = .05
		total.add(watch(g, g.fleet(), 42, 56, .001, true))
	}
	alarmsOf(t, "a rate that grows by a twentieth a week", total)
}

// Factors in UTC are wrong by an hour after the change to daylight saving time.
func TestSimulatedClockChangeIsNoStorm(t *testing.T) {
	const share = .01
	total := outcome{by: map[string]int{}}
	for seed := range uint64(6) {
		g := newTraffic(seed, 7)
		g.summer = 6
		total.add(watch(g, g.fleet(), 42, 49, share, true))
	}
	rate := float64(total.alarms) / float64(total.days)
	t.Logf("simulated: in the week after clocks were changed %d alarms on %d days of agents, %.2f of nominal", total.alarms, total.days,
		rate/share)
	if rate > 1.7*share {
		t.Errorf("%.4f of days alarm, %g were asked for", rate, share)
	}
}

// A night shift in a group of day workers has its peers' factors and its own spread.
func TestSimulatedNightShiftAmongDayWorkers(t *testing.T) {
	total := outcome{by: map[string]int{}}
	for seed := range uint64(4) {
		g := newTraffic(seed, 8)
		callers, shift := g.fleet(), []*caller(nil)
		for i := range 4 {
			shift = append(shift, g.desk(30+i, -10))
		}
		callers = append(callers, count(shift...)...)
		for _, c := range callers {
			c.ignored = !slices.Contains(shift, c)
		}
		total.add(watch(g, callers, 42, 56, .001, true))
	}
	alarmsOf(t, "night workers", total)
}

func TestSimulatedNewAgentIsJudgedByItsPeers(t *testing.T) {
	total, seen := outcome{by: map[string]int{}}, 0
	for seed := range uint64(6) {
		g := newTraffic(seed, 8)
		callers := g.fleet()
		body := g.learn(callers[1:], 42, true)
		newcomer := callers[0]
		for q := 42 * 96; q < 49*96; q++ {
			if limit, ok := body.Limit("desk/newcomer", "desk", (g.first+q/4)%HoursPerWeek, .001); !ok {
				t.Fatal("nothing is said of a new agent")
			} else if uint64(newcomer.quarters[q]) >= limit {
				total.alarms++
			}
		}
		total.days += 7
		newcomer.agent = "desk/newcomer"
		if flooded(body, g, newcomer, g.local(45, 1, 2), 200, .001) < never {
			seen++
		}
	}
	alarmsOf(t, "an agent without a history", total)
	if seen < 6 {
		t.Errorf("of six floods of 200 calls a minute by new agents %d are seen", seen)
	}
}

// The purpose of the factors: a flood at night is detected earlier, and a flood at noon not later.
func TestSimulatedNightFloodIsSeenSoonerByTheHour(t *testing.T) {
	var night, flat, noon, noonFlat []int
	for seed := range uint64(4) {
		g := newTraffic(seed, 7)
		callers := g.fleet()
		with, without := g.learn(callers, 44, true), g.learn(callers, 44, false)
		for i, c := range callers[:20] {
			at := float64(i) / 20
			night = append(night, flooded(with, g, c, g.local(44, c.zone, 2+at), 20, .001))
			flat = append(flat, flooded(without, g, c, g.local(44, c.zone, 2+at), 20, .001))
			noon = append(noon, flooded(with, g, c, g.local(44, c.zone, 11+at), 20, .001))
			noonFlat = append(noonFlat, flooded(without, g, c, g.local(44, c.zone, 11+at), 20, .001))
		}
	}
	t.Logf("simulated: 20 calls a minute more are seen after %d minutes at night and %d at noon; without factors %d and %d", median(night),
		median(noon), median(flat), median(noonFlat))
	if median(night) > median(flat)*2/3 {
		t.Errorf("at night the median is %d minutes with factors and %d without", median(night), median(flat))
	}
	if median(noon) > median(noonFlat)+5 {
		t.Errorf("at noon the median is %d minutes with factors and %d without", median(noon), median(noonFlat))
	}
}
