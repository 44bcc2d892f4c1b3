package main

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // --tz works on a machine without a time zone database

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"
)

// timeForms says which times a flag takes.
const timeForms = "15m, 7d or 2w (that long ago), today, yesterday, 2026-11-28, \"2026-11-28 18:00\", 02:10 or an RFC 3339 time"

// zone returns the time zone that --tz names: UTC without it.
func (o *options) zone() (*time.Location, error) {
	switch o.timeZone {
	case "":
		return time.UTC, nil
	case "local":
		return time.Local, nil
	}
	z, err := time.LoadLocation(o.timeZone)
	if err != nil {
		return nil, usage(fmt.Errorf("--tz: %q is no time zone: a name such as Europe/Berlin, local, or UTC", o.timeZone))
	}
	return z, nil
}

// errNegative is the error for a duration below 0.
var errNegative = errors.New("is negative")

// parseDuration reads a duration of at least 0: Go's, or with the units d (24 hours) and w, such as 1d12h.
func parseDuration(text string) (time.Duration, error) {
	bare, negative := strings.CutPrefix(text, "-")
	d, err := time.ParseDuration(bare)
	if err != nil {
		var long model.Duration
		if long, err = model.ParseDuration(bare); err != nil {
			return 0, err
		}
		d = time.Duration(long)
	}
	if negative && d > 0 {
		return 0, errNegative
	}
	return d, nil
}

// typedTime is a point in time as a person typed it.
type typedTime struct {
	at time.Time
	// clock: only the time of day was typed; at is the latest one that is not after now.
	clock bool
	// length: a duration before now was typed.
	length bool
}

// dayLayouts are the forms of a time with a date, and zoneLayouts what may follow a time of day.
var (
	dayLayouts = []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05",
		"2006-01-02T15:04:05.999999999", "2006-01-02T15", "2006-01"}
	zoneLayouts  = []string{"", "Z07:00"}
	clockLayouts = []string{"15:04", "15:04:05"}
)

// parseTime reads a time as timeForms says; a time without a zone is in the zone of now.
func parseTime(text string, now time.Time) (typedTime, error) {
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch text {
	case "now":
		return typedTime{at: now}, nil
	case "today":
		return typedTime{at: midnight}, nil
	case "yesterday":
		return typedTime{at: midnight.AddDate(0, 0, -1)}, nil
	}
	switch d, err := parseDuration(text); {
	case err == nil:
		return typedTime{at: now.Add(-d), length: true}, nil
	case errors.Is(err, errNegative):
		return typedTime{}, err
	}
	for _, layout := range clockLayouts {
		if c, err := time.Parse(layout, text); err == nil {
			at := time.Date(now.Year(), now.Month(), now.Day(), c.Hour(), c.Minute(), c.Second(), 0, now.Location())
			if at.After(now) {
				at = at.AddDate(0, 0, -1)
			}
			return typedTime{at: at, clock: true}, nil
		}
	}
	for _, day := range dayLayouts {
		for _, zone := range zoneLayouts {
			if t, err := time.ParseInLocation(day+zone, strings.Replace(text, " ", "T", 1), now.Location()); err == nil {
				return typedTime{at: t}, nil
			}
		}
	}
	return typedTime{}, errors.New("is no time")
}

// timeFlag reads a point in time. An empty text is the zero time.
func timeFlag(flag, text string, now time.Time) (typedTime, error) {
	if text == "" {
		return typedTime{}, nil
	}
	t, err := parseTime(text, now)
	switch {
	case errors.Is(err, errNegative):
		return t, usage(fmt.Errorf("%s: %q is negative: a duration is counted back from now, as in 15m", flag, text))
	case err != nil:
		return t, usage(fmt.Errorf("%s: %q is no time: want %s", flag, text, timeForms))
	}
	return t, nil
}

// secondsFlag reads a duration of at least a second, as whole seconds; 0 of an empty text.
func secondsFlag(flag, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	d, err := parseDuration(text)
	if err != nil || d < time.Second {
		return 0, usage(fmt.Errorf("%s: %q is no duration of at least 1s, as in 15m, 12h or 30d", flag, text))
	}
	return int64(d / time.Second), nil
}

// durationValue is a flag that takes a duration as parseDuration does.
type durationValue time.Duration

func (d *durationValue) String() string { return time.Duration(*d).String() }
func (d *durationValue) Type() string   { return "duration" }

func (d *durationValue) Set(text string) error {
	v, err := parseDuration(text)
	if err == nil {
		*d = durationValue(v)
	}
	return err
}

// window has the flags of the period that a command reads.
type window struct {
	since, until string
	given        func() bool // --since is on the command line
	what         string      // what the period is of, for the line above a table; empty: there is no such line
}

// defaultPeriod is the default of --since for all listings.
const defaultPeriod = "24h"

// flags adds --since and --until to a command; since is the default of --since, empty
// for everything that is stored.
func (w *window) flags(cmd *cobra.Command, since string) {
	cmd.Flags().StringVar(&w.since, "since", since, "start of the period: "+timeForms+"; '' for all that is stored")
	cmd.Flags().StringVar(&w.until, "until", "", "end of the period, in the same forms (default: now)")
	w.given = func() bool { return cmd.Flags().Changed("since") }
}

// listFlags adds --since and --until to a listing, whose table says the period; what is what it lists.
func (w *window) listFlags(cmd *cobra.Command, what string) {
	w.flags(cmd, defaultPeriod)
	w.what = what
}

// times are the two ends; a zero time does not limit. The default of --since is as long before the end. A time of day without a date
// is the latest one: as --since, before the end, if that has a date.
func (w *window) times(now time.Time) (since, until time.Time, err error) {
	end, err := timeFlag("--until", w.until, now)
	if err != nil {
		return since, until, err
	}
	from := now
	if !w.given() && !end.at.IsZero() {
		from = end.at
	}
	begin, err := timeFlag("--since", w.since, from)
	if err == nil && begin.clock && !end.at.IsZero() && !end.clock {
		begin, err = timeFlag("--since", w.since, end.at.In(now.Location()))
	}
	if err != nil {
		return since, until, err
	}
	since, until = begin.at, end.at
	if end.clock && !since.IsZero() && !until.After(since) {
		until = until.AddDate(0, 0, 1) // the first such time after the start
	}
	switch {
	case since.After(now):
		return since, until, usage(fmt.Errorf("--since: %q is in the future", w.since))
	case !since.IsZero() && !until.IsZero() && !until.After(since):
		return since, until, usage(fmt.Errorf("--since %q is not before --until %q", w.since, w.until))
	}
	return inUTC(since), inUTC(until), nil
}

// inUTC returns a time in UTC; the zero time as it is.
func inUTC(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

// length returns the length of a period that ends now, as it was typed; empty for another period.
func (w *window) length() string {
	if _, err := parseDuration(w.since); err == nil && w.until == "" {
		return w.since
	}
	return ""
}

// heading is the line that says the period of a table: its length, if it ends now. Times are in a zone.
func (w *window) heading(since, until time.Time, zone *time.Location) string {
	form := func(t time.Time) string { return t.In(zone).Format("2006-01-02 15:04:05") }
	in := " (" + zone.String() + "):"
	switch {
	case w.length() != "":
		return w.what + " of the last " + w.length() + ":"
	case since.IsZero() && until.IsZero():
		return w.what + ", all that are stored:"
	case since.IsZero():
		return w.what + " until " + form(until) + in
	case until.IsZero():
		return w.what + " since " + form(since) + in
	}
	return w.what + " from " + form(since) + " to " + form(until) + in
}

// nothing is what is printed of a listing that has nothing in its default period, and when the newest one was.
func (w *window) nothing(newest, now time.Time, zone *time.Location) string {
	days := int(now.Sub(newest)/(24*time.Hour)) + 1
	return fmt.Sprintf("Nothing in the last %s; the newest is of %s (%s): --since %dd lists it.", w.since,
		newest.In(zone).Format("2006-01-02 15:04:05"), zone, days)
}

// limited returns at most so many of some rows; 0: all of them.
func limited[T any](rows []T, limit int) []T {
	if limit > 0 && len(rows) > limit {
		return rows[:limit]
	}
	return rows
}
