package clickhouse

import (
	"testing"
	"time"
)

func TestTablesGrowBeyondTheirLimitOrLoseTooMuch(t *testing.T) {
	today := time.Date(2026, 11, 30, 15, 4, 0, 0, time.UTC)
	days := func(sizes ...uint64) (out []DaySize) { // of today, yesterday …
		for i, n := range sizes {
			if n > 0 {
				out = append(out, DaySize{time.Date(2026, 11, 30-i, 0, 0, 0, 0, time.UTC), n})
			}
		}
		return out
	}
	for name, tc := range map[string]struct {
		sizes     []DaySize
		limit     uint64
		has, want int
	}{
		"below the limit":                 {days(10, 20, 30), 60, 90, 90},
		"below the limit, for ever":       {days(10, 20, 30), 60, 0, 0},
		"above it":                        {days(10, 20, 30, 40), 60, 90, 2},
		"above it, kept for ever":         {days(10, 20, 30, 40), 60, 0, 2},
		"exactly nine tenths":             {days(30, 30, 30, 30), 100, 90, 3},
		"days without calls in between":   {days(10, 0, 0, 10, 90), 100, 90, 4},
		"today alone is too much":         {days(100, 10), 60, 90, 1},
		"what expires is not deleted yet": {days(10, 20, 30, 40), 60, 1, 1},
		"nothing is stored":               {nil, 60, 90, 90},
	} {
		if got := DaysWithin(tc.sizes, tc.limit, today, tc.has); got != tc.want {
			t.Errorf("%s: %d days, want %d", name, got, tc.want)
		}
	}
}
