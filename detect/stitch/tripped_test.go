package stitch

import (
	"fmt"
	"testing"
	"time"
)

// Trips of other runs are counted also after a restart, and not those of runs that are gone.
func TestTripsOfSiblingsAreMiscounted(t *testing.T) {
	b := newBench(t)
	var runs []*Run
	for i := range 20 { // more than are searched one by one
		runs = append(runs, b.run(b.call(time.Duration(i)*time.Second, key(fmt.Sprint("r", i))).RunID))
	}
	at := runs[0].StartedAt
	runs[3].Trip(at + 10)
	runs[7].Trip(at + 20)
	runs[7].Trip(at + 30)
	count := func(name string, r *Run, since int64, want int) {
		t.Helper()
		if got := r.TrippedSiblings(since); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	count("of a run without a trip", runs[0], at, 2)
	count("of a run with a trip", runs[3], at, 1)
	count("after the first trip", runs[0], at+11, 1)
	count("after the later of two trips of one run", runs[0], at+31, 0)

	into := newBench(t).p
	a, _, err := into.Restore(EncodeActor(nil, b.p.actors["c:k1"], 1))
	if err != nil {
		t.Fatal(err)
	}
	into.Adopt(a)
	for r := range a.runs.all {
		if r.RunID == runs[0].RunID {
			count("after a restart", r, at, 2)
		}
	}
	b.p.ender.evict(runs[7].slot)
	count("after the eviction of one of them", runs[0], at, 1)
	b.p.ender.evict(runs[3].slot)
	count("after the eviction of both", runs[0], at, 0)
}
