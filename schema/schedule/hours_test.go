package schedule

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func must(t *testing.T, h Hours) *Compiled {
	t.Helper()
	return Compile("hours", h, func(format string, args ...any) { t.Fatalf(format, args...) })
}

func TestHoursOverMidnight(t *testing.T) {
	h := must(t, Hours{Days: []string{"mon"}, From: "22:00", To: "06:00", Timezone: "UTC"})
	day := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for at, want := range map[time.Duration]bool{23 * time.Hour: true, 29 * time.Hour: true, 30 * time.Hour: false, 21 * time.Hour: false,
		5 * time.Hour: false} {
		if got := h.Contains(day.Add(at).UnixNano()); got != want {
			t.Errorf("Monday 00:00 + %s: %v", at, got)
		}
	}
}

// When a time zone repeats or skips an hour, the hour on its clocks applies.
func TestHoursFollowTheClocksOfTheZone(t *testing.T) {
	h := must(t, Hours{From: "02:00", To: "04:00", Timezone: "Europe/Berlin"})
	for text, want := range map[string]bool{
		"2026-01-15T01:30:00Z": true, "2026-01-15T03:00:00Z": false, // UTC+1
		"2026-07-15T00:30:00Z": true, "2026-07-15T02:00:00Z": false, // UTC+2
		"2026-10-25T00:30:00Z": true, "2026-10-25T01:30:00Z": true, // 02:30, twice
	} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.Contains(at.UnixNano()); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestWrongHoursNameKeyAndValue(t *testing.T) {
	for want, h := range map[string]Hours{
		`a.from: "7"`:               {From: "7", To: "19:00", Timezone: "UTC"},
		`a.timezone: "Mars/Base"`:   {From: "07:00", To: "19:00", Timezone: "Mars/Base"},
		`a.timezone: ""`:            {From: "07:00", To: "19:00"},
		`a.days[0]: "monday"`:       {Days: []string{"monday"}, From: "07:00", To: "19:00", Timezone: "UTC"},
		`a.from, a.to: both "07:00`: {From: "07:00", To: "07:00", Timezone: "UTC"},
	} {
		var said []string
		Compile("a", h, func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
		if len(said) != 1 || !strings.HasPrefix(said[0], want) {
			t.Errorf("%+v: said %q, want %q", h, said, want)
		}
	}
}
