package main

import "testing"

// What carries the run is exact, however many run at a time; by time alone runs
// that overlap become one, and that is said, not hidden.
func TestStitchingOnKnownRuns(t *testing.T) {
	runs, err := known()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules[:2] {
		for _, workers := range []int{1, 4, 16} {
			if m := measure(runs, r, workers, pauseMean, 1); m.precision != 1 || m.recall != 1 {
				t.Errorf("%s at %d: %+v", r.name, workers, m)
			}
		}
	}
	alone := rules[len(rules)-1]
	if m := measure(runs, alone, 1, pauseMean, 1); m.precision < .5 || m.recall < .9 {
		t.Errorf("by time alone, one at a time: %+v", m)
	}
	if m := measure(runs, alone, 16, pauseMean, 1); m.precision > .2 {
		t.Errorf("sixteen at a time are told apart by time alone: %+v; the README says they are not", m)
	}
}
