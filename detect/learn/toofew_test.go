package learn

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// Replayed traffic is older than the window: "0 closed before …" did not say so.
func TestTooFewRunsAreSaidToBeNone(t *testing.T) {
	since := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	l := &Learner{o: Options{MinRuns: 20, Window: 720 * time.Hour, DB: fakeDB{map[string]any{
		"count()": uint64(9000), "sum(calls)": uint64(82225), "toUnixTimestamp64Nano(max(last_at))": since.Add(-time.Hour).UnixNano()}}}}
	err := l.tooFew(t.Context(), &Selection{Clean: 3, Excluded: map[string]uint64{"open": 2, "too_young": 4, "held": 0}}, since, since)
	for _, want := range []string{"3 closed before 2026-05-04T10:00:00Z", "learn.min_runs is 20", "2 open, 4 too_young",
		"9000 stored runs with 82225 calls are older than learn.window (720h0m0s), the latest ended 2026-05-04T09:00:00Z"} {
		if !errors.Is(err, ErrTooFewRuns) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: no %q", err, want)
		}
	}
	l.o.DB = fakeDB{}
	if err := l.tooFew(t.Context(), &Selection{}, since, since); strings.Contains(err.Error(), "older") ||
		strings.Contains(err.Error(), "not learned from") {
		t.Errorf("%v", err)
	}
}
