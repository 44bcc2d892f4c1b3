package query

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// maxListedDays is the maximum number of days that a statement lists.
const maxListedDays = 40

// dayList is the days on which some runs have calls. Runs that a report lists are often of few days in a long time: a list of these saves
// to look at the parts of the others.
type dayList struct {
	days map[int64]bool // Unix time of their starts
	many bool           // there are more than maxListedDays, some that Date does not have, or some that are not known
}

// add adds the days between two times.
func (l *dayList) add(from, to time.Time) {
	const day = 24 * time.Hour
	if l.days == nil {
		l.days = map[int64]bool{}
	}
	if from.Before(time.Unix(0, 0)) || to.Year() > 2148 || to.Before(from) {
		l.many = true
	}
	for d := from.UTC().Truncate(day); !d.After(to) && !l.many; d = d.Add(day) {
		l.days[d.Unix()] = true
		l.many = len(l.days) > maxListedDays
	}
}

// condition is the condition for calls of the days; empty: it would leave out no day between the first and the last of them, or there are
// too many.
func (l *dayList) condition() string {
	days := slices.Sorted(maps.Keys(l.days))
	if l.many || len(days) == 0 || days[len(days)-1]-days[0] == int64(len(days)-1)*24*60*60 {
		return ""
	}
	list := make([]string, len(days))
	for i, d := range days {
		list[i] = time.Unix(d, 0).UTC().Format("'2006-01-02'")
	}
	return "toDate(start_time) IN (" + strings.Join(list, ", ") + ")"
}
