package main

import (
	"fmt"
	"strings"
	"time"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/detect/learn"
)

// noBaseline says what the first baseline waits for, and how long.
func noBaseline(r *request, c config.Config) string {
	var b strings.Builder
	l := c.Learn
	fmt.Fprintf(&b, "no baseline yet: no run is scored, and no score trips one\n"+
		"  needed     %d clean runs (learn.min_runs) that ended at least %s ago\n"+
		"             (learn.quarantine) and at most %s ago (learn.window)\n",
		l.MinRuns, span(l.Quarantine), span(l.Window))
	db, err := r.database()
	var o *learn.Outlook
	if err == nil {
		o, err = learn.ReadOutlook(r.ctx, db, learn.OutlookOptions{Tenant: c.Tenant, Needed: l.MinRuns, Window: time.Duration(l.Window),
			Quarantine: time.Duration(l.Quarantine), Now: r.now})
	}
	if err != nil {
		fmt.Fprintf(&b, "  there are  not known: %v\n", err)
	} else {
		excluded := 0
		for _, n := range o.Excluded {
			excluded += int(n)
		}
		fmt.Fprintf(&b, "  there are  %d of them\n"+
			"             %d more ended less than %s ago\n"+
			"             %d are open, or ended less than an hour ago\n"+
			"             %d are not clean: alarmed, refused, sampled\n", o.Ready, o.Quarantine, span(l.Quarantine), o.Open, excluded)
		fmt.Fprintf(&b, "  how long   %s\n", untilEnough(o, l, r.now))
	}
	fmt.Fprintf(&b, "  who looks  flyball up, or the role learn, at least every %s (learn.every)\n"+
		"             flyball learn --once looks at once, and needs as many runs", span(l.Every))
	return b.String()
}

// untilEnough says when the runs for a first baseline are there.
func untilEnough(o *learn.Outlook, l config.Learn, now time.Time) string {
	switch {
	case !o.EnoughAt.IsZero() && !o.EnoughAt.After(now):
		return "these are enough: the next attempt makes it"
	case !o.EnoughAt.IsZero():
		return fmt.Sprintf("%s, at %s UTC: then enough are old enough", report.Age(o.EnoughAt, now),
			o.EnoughAt.UTC().Format("2006-01-02 15:04"))
	}
	missing := l.MinRuns - o.Ready - o.Quarantine
	text := fmt.Sprintf("%d more clean runs have to end, and then %s pass", missing, span(l.Quarantine))
	if q := time.Duration(l.Quarantine); q > 0 && o.Quarantine > 0 {
		wait := q + q*time.Duration(missing)/time.Duration(o.Quarantine)
		text += fmt.Sprintf("\n             (if as many end as in the last %s: %s)", span(l.Quarantine), report.Age(now.Add(wait), now))
	}
	return text
}

// span is a duration of the configuration in the largest unit that divides it.
func span(d config.Duration) string {
	v := time.Duration(d)
	for _, u := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if v >= u.of && v%u.of == 0 && (u.name != "d" || v > 2*u.of) {
			return fmt.Sprint(int64(v/u.of)) + u.name
		}
	}
	return v.String()
}
