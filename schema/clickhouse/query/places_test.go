package query

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"flyball/schema"
)

// A bound on the times of calls that is not known of every run, or of an open one, would leave out calls.
func TestCallsAreLeftOutByTheTimesOfOtherRuns(t *testing.T) {
	at := func(hour int) Time { return Time{time.Date(2026, 5, 4, hour, 0, 0, 0, time.UTC)} }
	closed, open := schema.RunClosed.String(), schema.RunOpen.String()
	ref := func(r Run) runRef { return runRef{tenant: "t", actor: 7, id: noRun, times: r.times()} }
	early, late := Run{StartedAt: at(2), LastAt: at(3), State: closed}, Run{StartedAt: at(8), LastAt: at(9), State: closed}
	for name, c := range map[string]struct {
		runs         []Run
		began, ended int // hours, with the margin; 0: no bound
	}{
		"one closed run":           {[]Run{early}, 1, 4},
		"two closed runs":          {[]Run{late, early}, 1, 10},
		"an open run, then closed": {[]Run{{StartedAt: at(5), LastAt: at(6), State: open}, late}, 4, 0},
		"closed, then an open run": {[]Run{late, {StartedAt: at(5), LastAt: at(6), State: open}}, 4, 0},
		"a run without times":      {[]Run{early, {State: closed}}, 0, 0},
		"first without times":      {[]Run{{State: closed}, early}, 0, 0},
	} {
		var refs []runRef
		for _, r := range c.runs {
			refs = append(refs, ref(r))
		}
		want := ""
		at := func(hour int) string {
			return "fromUnixTimestamp64Nano(toInt64(" + fmt.Sprint(at(hour).UnixNano()) + "), 'UTC')"
		}
		if c.began > 0 {
			want += " AND start_time >= " + at(c.began)
		}
		if c.ended > 0 {
			want += " AND (start_time <= " + at(c.ended) + " OR start_time >= now() - 3600)"
		}
		if got := timesOf(refs).condition(); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if got := daysOf(refs); got != "" {
			t.Errorf("%s: %s, for runs of one day", name, got)
		}
		if got := callsOf(refs); !strings.HasPrefix(got, "(") || !strings.HasSuffix(got, want+")") {
			t.Errorf("%s: %s is not one condition", name, got)
		}
	}
}

// A list of days that is not of every run, or too long, would leave out calls or be refused.
func TestCallsAreLeftOutByTheDaysOfOtherRuns(t *testing.T) {
	day := func(n, hour int) Time { return Time{time.Date(2026, 5, n, hour, 30, 0, 0, time.UTC)} }
	run := func(from, to Time, state schema.RunState) Run {
		return Run{StartedAt: from, LastAt: to, State: state.String()}
	}
	closed, open := schema.RunClosed, schema.RunOpen
	short := run(day(3, 9), day(3, 9), closed)
	for name, c := range map[string]struct {
		runs []Run
		want string
	}{
		"far apart":               {[]Run{short, run(day(9, 9), day(9, 9), closed)}, "'2026-05-03', '2026-05-09'"},
		"near the end of the day": {[]Run{short, run(day(9, 0), day(9, 23), closed)}, "'2026-05-03', '2026-05-08', '2026-05-09', '2026-05-10'"},
		"over midnight":           {[]Run{short, run(day(8, 20), day(9, 3), closed)}, "'2026-05-03', '2026-05-08', '2026-05-09'"},
		"side by side":            {[]Run{short, run(day(4, 9), day(4, 9), closed)}, ""},
		"one that is open":        {[]Run{short, run(day(9, 9), day(9, 9), open)}, ""},
		"one without times":       {[]Run{short, run(day(9, 9), day(9, 9), closed), {}}, ""},
		"one that ends first":     {[]Run{short, run(day(9, 9), day(5, 9), closed), run(day(20, 9), day(20, 9), closed)}, ""},
		"one with too many days":  {[]Run{short, run(day(9, 9), day(9+maxListedDays, 9), closed)}, ""},
		"one before Date begins":  {[]Run{short, run(Time{time.Unix(-9e8, 0)}, Time{time.Unix(-9e8, 0)}, closed)}, ""},
		"one after the last Date": {[]Run{short, run(Time{time.Unix(6e9, 0)}, Time{time.Unix(6e9, 0)}, closed)}, ""},
	} {
		var refs []runRef
		for _, r := range c.runs {
			refs = append(refs, runRef{actor: 7, id: noRun, times: r.times()})
		}
		want := c.want
		if want != "" {
			want = " AND (toDate(start_time) IN (" + want + ") OR start_time >= now() - 3600)"
		}
		if got := daysOf(refs); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
