package storage

import (
	"fmt"
	"testing"

	"flyball/schema/clickhouse/query"
)

// The calls of a long run are read in slices of time, because the engine could not sort a million of the copies of a hold at once.
func TestEvidenceLosesOrRepeatsCallsBetweenSlices(t *testing.T) {
	c := migrated(t)
	const calls, rows = 60_000, 105_000 // three of four calls have a row of the check, too: more than two slices
	insertLongRun(t, c, "bot", calls)
	run, err := query.ResolveRun(t.Context(), c, "bot")
	if err != nil {
		t.Fatal(err)
	}
	seen, n, last := map[string]bool{}, 0, ""
	err = query.EachCall(t.Context(), c, &run, func(m map[string]any) error {
		n++
		seen[fmt.Sprint(m["record_id"])] = true
		at := fmt.Sprint(m["start_time"])
		if at < last {
			t.Fatalf("%s comes after %s", at, last)
		}
		last = at
		return nil
	})
	if err != nil || n != rows || len(seen) != rows {
		t.Errorf("%d rows, %d different ones, want %d: %v", n, len(seen), rows, err)
	}
}
