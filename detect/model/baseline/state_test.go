package baseline

import (
	"testing"

	"flyball/schema"
)

func TestStateWithoutItsReason(t *testing.T) {
	const day = int64(24 * 3600e9)
	for name, tc := range map[string]struct {
		f     StateFacts
		state schema.BaselineState
		why   string
	}{
		"nothing is known": {StateFacts{}, schema.BaselineLearning, WhyFewRuns},
		"one run too few": {StateFacts{Runs: MinAgentRuns - 1, TaughtAt: day, SeenAt: day}, schema.BaselineLearning,
			WhyFewRuns},
		"enough":                {StateFacts{Runs: MinAgentRuns, TaughtAt: day, SeenAt: day}, schema.BaselineActive, WhyTaught},
		"quiet since it taught": {StateFacts{Runs: MinAgentRuns, TaughtAt: day, SeenAt: day}, schema.BaselineActive, WhyTaught},
		"calls for a week and nothing teaches": {StateFacts{Runs: MinAgentRuns, TaughtAt: day, SeenAt: 9 * day}, schema.BaselineStale,
			WhyUntaught},
		"exactly a week": {StateFacts{Runs: MinAgentRuns, TaughtAt: day, SeenAt: 8 * day}, schema.BaselineActive,
			WhyTaught},
		"an operator is heard before all else": {StateFacts{Frozen: true, Incident: true}, schema.BaselineFrozen, WhyOperator},
		"an incident":                          {StateFacts{Runs: 500, Incident: true, SeenAt: 99 * day}, schema.BaselineFrozen, WhyIncident},
		"forgotten":                            {StateFacts{Runs: 3, Reset: true}, schema.BaselineLearning, WhyReset},
		"forgotten long ago":                   {StateFacts{Runs: 300, Reset: true}, schema.BaselineActive, WhyTaught},
		"a version beside another, few runs": {StateFacts{Runs: 300, Version: "2", VersionRuns: 3, Versions: 2}, schema.BaselineLearning,
			WhyNewVersion},
		"a version beside another, enough of it": {StateFacts{Runs: 300, Version: "2", VersionRuns: 30, Versions: 2}, schema.BaselineActive,
			WhyTaught},
		"the only version": {StateFacts{Runs: 300, Version: "1", VersionRuns: 30, Versions: 1}, schema.BaselineActive,
			WhyTaught},
	} {
		if state, why := DeriveState(tc.f); state != tc.state || why != tc.why {
			t.Errorf("%s: %v (%s), want %v (%s)", name, state, why, tc.state, tc.why)
		}
	}
}
