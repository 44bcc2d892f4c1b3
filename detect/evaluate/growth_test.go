package evaluate

import "testing"

func TestChangeOfClassIsAStorm(t *testing.T) {
	steps := 0
	g := simulateGrowth(LeaveGroupsOut(populations(60), populations(240), nil)[:1], func() { steps++ })
	if steps != growthSteps || len(g.Groups) != 1 {
		t.Fatalf("%d baselines of %v", steps, g.Groups)
	}
	first, last := g.Steps[0].Others, g.Steps[growthSteps-1].Others
	if len(first) != 1 || first["new_population"].Runs == 0 || last["new_population"].Runs != 0 || last["known_agent"].Runs == 0 {
		t.Errorf("from %+v to %+v", first, last)
	}
	own := 0
	for _, c := range g.Acquaintance {
		own += c.Runs
	}
	if own != growthRuns {
		t.Errorf("%d runs of the populations: %+v", own, g.Acquaintance)
	}
	changed := 0
	for name, c := range g.Changes {
		if name != "new_population to new_population" && name != "known_agent to known_agent" {
			changed += c.Runs
		}
		if c.Storm {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if changed == 0 {
		t.Errorf("nobody's class changed: %+v", g.Changes)
	}
}

func TestStormIsBoundedByWhatRunsShow(t *testing.T) {
	for _, tc := range []struct {
		runs, rises, open int
		want              bool
	}{
		{1000, 20, 0, false}, {1000, 25, 0, false}, // 2 % is within the interval of 2.5 % of 1,000 runs
		{1000, 40, 0, true}, {1000, 20, 20, true}, {10, 2, 0, true}, {0, 0, 0, false},
	} {
		c := GrowthChange{Runs: tc.runs, Rises: map[string]int{"0.001": tc.rises}, Open: map[string]int{"0.001": tc.open}}
		if got := c.storm(); got != tc.want {
			t.Errorf("%d and %d of %d runs rise: %v", tc.rises, tc.open, tc.runs, got)
		}
	}
}
