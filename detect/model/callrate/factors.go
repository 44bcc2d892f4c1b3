package callrate

import (
	"cmp"
	"slices"
)

// tally holds a counted and an expected number of arrivals.
type tally struct{ seen, expected float64 }

func (t *tally) add(o tally) { t.seen += o.seen; t.expected += o.expected }

func (t tally) ratio() float64 { return t.seen / t.expected }

// towards returns the posterior mean of a factor under a gamma prior with the given mean. worth is the weight of the
// prior in arrivals.
func (t tally) towards(mean, worth float64) float64 {
	return (t.seen + worth*mean) / (t.expected + worth)
}

// Trimming of the repeats of an hour: a fifth of them, and at least one, is left out at each end, so that a holiday week
// or an incident does not change the factor. An hour with fewer than three repeats is not used.
const (
	minRepeats   = 3
	trimFraction = 5
)

// trimmed returns the sum of the repeats without the lowest and the highest ones. It changes the order of repeats.
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

// factorArrivals is the weight of the priors of factors, in arrivals. The prior of an hour of the week is its hour of the
// day; the prior of a group is the shape of all agents.
const factorArrivals = 20

// minFactor is the minimum of a factor: an hour without calls in the past can have calls later.
const minFactor = .01

// factors estimates the factors of the hours of the week. table holds the arrivals of every hour of the window, first is
// the hour of the week of table[0]. The factors are shrunk to those of above.
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

// removeWeekLevel scales the expected arrivals of a week to the level of that week, so that only differences between its
// hours remain. The level leaves out the days with the highest and the lowest ratio, because one of them may be an
// incident.
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
			week[at] = tally{} // a week without calls is not used
		}
	}
}

// shape is a set of factors, by class and by hour of the week.
type shape struct {
	class [classes]float64
	hour  [HoursPerWeek]float64
}

// flat returns the shape with all factors 1.
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

// scale divides the factors so that their mean over a week is 1, and applies minFactor.
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
