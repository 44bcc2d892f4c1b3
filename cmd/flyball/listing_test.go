package main

import (
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// A table about all calls says its period, and the default of --since is a day before --until.
func TestPeriodOfAllCallsIsNotSaid(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		args    []string
		since   time.Time
		heading string
	}{
		{nil, now.Add(-24 * time.Hour), "Calls of the last 24h:"},
		{[]string{"--since", "720h"}, now.Add(-720 * time.Hour), "Calls of the last 720h:"},
		{[]string{"--since", ""}, time.Time{}, "Calls, all that are stored:"},
		{[]string{"--since", "2026-11-19T10:00:00+02:00"}, time.Date(2026, 11, 19, 8, 0, 0, 0, time.UTC),
			"Calls since 2026-11-19 08:00:00 (UTC):"},
		{[]string{"--until", "48h"}, now.Add(-72 * time.Hour), "Calls from 2026-11-17 12:00:00 to 2026-11-18 12:00:00 (UTC):"},
		{[]string{"--since", "72h", "--until", "24h"}, now.Add(-72 * time.Hour), "Calls from 2026-11-17 12:00:00 to 2026-11-19 12:00:00 (UTC):"},
		{[]string{"--since", "", "--until", "24h"}, time.Time{}, "Calls until 2026-11-19 12:00:00 (UTC):"},
	} {
		var w window
		cmd := &cobra.Command{}
		w.listFlags(cmd, "Calls")
		if err := cmd.ParseFlags(c.args); err != nil {
			t.Fatal(err)
		}
		since, until, err := w.times(now)
		if got := w.heading(since, until, time.UTC); err != nil || !since.Equal(c.since) || got != c.heading {
			t.Errorf("%q: %q since %s, %v", c.args, got, since, err)
		}
	}
}
