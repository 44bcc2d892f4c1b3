package engine

import (
	"testing"
	"time"

	"flyball/detect/journal"
	"flyball/schema"
)

// A record of the journal costs much the same whatever is in it: under load it gathers rows, and a few rows do not wait for it.
func TestJournalIsWrittenTooSoonOrTooLate(t *testing.T) {
	cfg := DefaultConfig()
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		rows int
		age  time.Duration
		want bool
	}{
		"nothing":                    {0, time.Hour, false},
		"one row, young":             {1, cfg.JournalEvery - 1, false},
		"one row":                    {1, cfg.JournalEvery, true},
		"rows that arrive slowly":    {19, cfg.JournalEvery, true},
		"rows that arrive fast":      {20, cfg.JournalEvery, false},
		"a burst that has ended":     {20, cfg.JournalEvery + time.Millisecond, true},
		"many rows, almost due":      {1000, cfg.JournalBusyEvery - 1, false},
		"many rows":                  {1000, cfg.JournalBusyEvery, true},
		"rows that were not written": {1000, time.Hour, true},
	} {
		w := journalWriter{cfg: &cfg, rows: journal.New(0), firstRow: at}
		for range c.rows {
			w.rows.Replace(&schema.Call{})
		}
		if got := w.due(at.Add(c.age)); got != c.want {
			t.Errorf("%s: due %v, want %v", name, got, c.want)
		}
	}
}
