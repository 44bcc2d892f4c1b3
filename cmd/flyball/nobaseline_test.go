package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"flyball/cmd/internal/config"
)

// Before the first baseline, baselines show said to run learn --once, which failed for the same reason, and not what is waited for.
func TestFirstBaselineIsWaitedForWithoutAWord(t *testing.T) {
	now := at("2026-11-20 10:00:00")
	c := config.Default()
	c.Learn.MinRuns = 20
	young := func(hours ...int) (ends []int64) {
		for _, h := range hours {
			ends = append(ends, now.Add(-time.Duration(h)*time.Hour).UnixNano())
		}
		return ends
	}
	row := func(why string, n uint64, ends []int64) []any { return []any{why, n, ends} }
	for name, tc := range map[string]struct {
		rows [][]any
		want []string
	}{
		"nothing is stored": {nil, []string{"there are  0 of them", "0 more ended", "20 more clean runs have to end, and then 24h pass\n"}},
		"some in quarantine": {
			[][]any{row("", 15, nil), row("too_young", 6, young(1, 2, 3, 4, 10)), row("open", 2, nil), row("held", 3, nil)},
			[]string{"there are  15 of them", "5 more ended less than 24h ago", "2 are open", "4 are not clean", "in 23h, at 2026-11-21 09:00 UTC"}},
		"too few in quarantine": {[][]any{row("too_young", 5, young(1, 2, 3, 4, 10))},
			[]string{"15 more clean runs have to end, and then 24h pass\n             (if as many end as in the last 24h: in 4d)"}},
		"enough": {[][]any{row("", 20, nil)}, []string{"these are enough: the next attempt makes it"}},
	} {
		var errs bytes.Buffer
		r := &request{options: &options{}, ctx: t.Context(), now: now, stderr: &errs,
			db: fakeDB{{in: "groupArraySortedIf", rows: tc.rows}}}
		text := noBaseline(r, c)
		for _, want := range append(tc.want, "needed     20 clean runs (learn.min_runs) that ended at least 24h ago", "at most 30d ago",
			"at least every 1h (learn.every)") {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", name, want, text)
			}
		}
		for line := range strings.Lines(text) {
			if len(line) > 80 {
				t.Errorf("%s: a line of %d characters", name, len(line))
			}
		}
	}
}
