package main

import (
	"errors"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/spf13/cobra"
)

// Times are typed as people say them; each of these was refused.
func TestSpokenTimeIsRefused(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 30, 1, 30, 0, 0, berlin)
	at := func(y int, m time.Month, d, h, min int) time.Time { return time.Date(y, m, d, h, min, 0, 0, berlin) }
	for text, want := range map[string]time.Time{
		"15m": now.Add(-15 * time.Minute), "7d": now.Add(-7 * 24 * time.Hour), "2w": now.Add(-14 * 24 * time.Hour),
		"1d12h": now.Add(-36 * time.Hour), "1.5h": now.Add(-90 * time.Minute), "now": now,
		"today": at(2026, 11, 30, 0, 0), "yesterday": at(2026, 11, 29, 0, 0), "2026-11-28": at(2026, 11, 28, 0, 0),
		"2026-11": at(2026, 11, 1, 0, 0), "2026-11-28 18:00": at(2026, 11, 28, 18, 0), "2026-11-28T18:00": at(2026, 11, 28, 18, 0),
		"2026-11-28T18": at(2026, 11, 28, 18, 0), "2026-11-28T18:00Z": at(2026, 11, 28, 19, 0),
		"2026-11-28T18:00:00.5+02:00": at(2026, 11, 28, 17, 0).Add(500 * time.Millisecond),
		"01:10":                       at(2026, 11, 30, 1, 10), "02:10": at(2026, 11, 29, 2, 10),
		"02:10:30": at(2026, 11, 29, 2, 10).Add(30 * time.Second),
	} {
		got, err := parseTime(text, now)
		if err != nil || !got.at.Equal(want) {
			t.Errorf("%q is %s, %v; want %s", text, got.at, err, want)
		}
	}
	for _, text := range []string{"-1h", "-7d"} {
		if _, err := parseTime(text, now); !errors.Is(err, errNegative) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"", "soon", "25:00", "2026-13-01", "2026-11-31", "12", "d", "1y2", "2026-11-28T"} {
		if got, err := parseTime(text, now); err == nil {
			t.Errorf("%q is %s", text, got.at)
		}
	}
}

// Between 02:10 and 02:40 is one period, whatever the time is now.
func TestPeriodOfTimesOfDayIsEmpty(t *testing.T) {
	day := func(d, h, m int) time.Time { return time.Date(2026, 11, d, h, m, 0, 0, time.UTC) }
	for _, c := range []struct {
		now                 time.Time
		since, until        string
		wantSince, wantTill time.Time
	}{
		{day(30, 9, 0), "02:10", "02:40", day(30, 2, 10), day(30, 2, 40)},
		{day(30, 2, 20), "02:10", "02:40", day(30, 2, 10), day(30, 2, 40)},
		{day(30, 1, 0), "02:10", "02:40", day(29, 2, 10), day(29, 2, 40)},
		{day(30, 9, 0), "23:50", "00:10", day(29, 23, 50), day(30, 0, 10)},
		{day(30, 9, 0), "02:10", "2026-11-28 03:00", day(28, 2, 10), day(28, 3, 0)},
		{day(30, 9, 0), "yesterday", "today", day(29, 0, 0), day(30, 0, 0)},
	} {
		w := window{}
		cmd := &cobra.Command{}
		w.flags(cmd, "")
		if err := cmd.ParseFlags([]string{"--since", c.since, "--until", c.until}); err != nil {
			t.Fatal(err)
		}
		since, until, err := w.times(c.now)
		if err != nil || !since.Equal(c.wantSince) || !until.Equal(c.wantTill) {
			t.Errorf("at %s, %s to %s: %s to %s, %v", c.now, c.since, c.until, since, until, err)
		}
	}
}

// Durations that people type are accepted wherever there is one.
func TestDurationOfDaysIsRefused(t *testing.T) {
	for text, want := range map[string]int64{"30d": 30 * 86400, "2w": 14 * 86400, "1d12h": 36 * 3600, "15m": 900, "": 0} {
		if got, err := secondsFlag("--for", text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"-1h", "-1d", "0", "500ms", "d", "many"} {
		if got, err := secondsFlag("--for", text); !isUsage(err) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	f := newFixture(t, "")
	f.api["POST /v1/bypass"] = `{"until":"2026-12-30T00:00:00Z"}`
	if code, _, errs := f.run("bypass", "--for", "1d", "--reason", "r"); code != exitDone {
		t.Errorf("exit %d, %s", code, errs)
	}
}
