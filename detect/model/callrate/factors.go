package callrate

import (
	"cmp"
	"slices"
)

// tally is what was counted and what was to be expected.
type tally struct{ seen, expected float64 }

func (t *tally) add(o tally) { t.seen += o.seen; t.expected += o.expected }

func (t tally) ratio() float64 { return t.seen / t.expected }

// towards is the posterior mean of a factor under a gamma prior with a mean, worth
// so many arrivals.
func (t tally) towards(mean, worth float64) float64 {
	return (t.seen + worth*mean) / (t.expected + worth)
}

// Of repeats of an hour a fifth is left out on either side, and at least one: a
// holiday week, or an incident, is not what the hour is like. What was seen fewer
// than three times says nothing.
const (
	minRepeats   = 3
	trimFraction = 5
)

// trimmed is the sum of what is left of the repeats. It orders them.
func trimmed(repeats []tally) (sum tally) {
	repeats = slices.DeleteFunc(repeats, func(t tally) bool { return t.expected <= 0 })
	if len(repeats) < minRepeats {
		return sum
	}
	slices.SortStableFunc(repeats, func(a, b tally) int { return cmp.Compare(a.ratio(), b.ratio()) })
	out := max(1, len(repeats)/trimFraction)
	for _, t := range repeats[out : len(repeats)-out] {
		sum.add(t)
	}
	return sum
}

// factorArrivals of the priors of factors, in arrivals: an hour of the week is taken for its
// hour of the day, and a group's for everybody's, until so many came in it.
const factorArrivals = 20

// minFactor is that of an hour in which nobody ever calls: somebody may.
const minFactor = .01

// factors of the hours of the week from the arrivals of every hour of the window,
// whose first is an hour of the week; above is who they are shrunk to.
func factors(table []tally, first int, above *shape) *shape {
	table = slices.Clone(table)
	for from := 0; from < len(table); from += HoursPerWeek {
		removeWeekLevel(table[from:min(from+HoursPerWeek, len(table))])
	}
	out := new(shape)
	var repeats []tally
	for c := range classes {
		repeats = repeats[:0]
		for at, t := range table {
			if hourClass((first+at)%HoursPerWeek) == c {
				repeats = append(repeats, t)
			}
		}
		out.class[c] = trimmed(repeats).towards(above.class[c], factorArrivals)
	}
	for h := range HoursPerWeek {
		repeats = repeats[:0]
		for at := (h - first + HoursPerWeek) % HoursPerWeek; at < len(table); at += HoursPerWeek {
			repeats = append(repeats, table[at])
		}
		c := hourClass(h)
		out.hour[h] = trimmed(repeats).towards(out.class[c]*above.hour[h]/above.class[c], factorArrivals)
	}
	out.scale()
	return out
}

// removeWeekLevel takes out what a whole week was like: it says nothing of its hours. The
// fullest day and the emptiest do not count, as one of them may be an incident.
func removeWeekLevel(week []tally) {
	days := make([]tally, 7)
	for at, t := range week {
		days[at/24].add(t)
	}
	sum := trimmed(days)
	for at := range week {
		if sum.seen > 0 {
			week[at].expected *= sum.ratio()
		} else {
			week[at] = tally{} // there were no calls
		}
	}
}

// shape is a set of factors, by class and by hour of the week.
type shape struct {
	class [classes]float64
	hour  [HoursPerWeek]float64
}

// flat is the shape of what nothing is known of.
func flat() *shape {
	s := new(shape)
	for c := range s.class {
		s.class[c] = 1
	}
	for h := range s.hour {
		s.hour[h] = 1
	}
	return s
}

// scale makes the mean over a week 1.
func (s *shape) scale() {
	sum := 0.0
	for _, f := range s.hour {
		sum += f
	}
	mean := sum / HoursPerWeek
	for h := range s.hour {
		s.hour[h] = max(s.hour[h]/mean, minFactor)
	}
	for c := range s.class {
		s.class[c] = max(s.class[c]/mean, minFactor)
	}
}
