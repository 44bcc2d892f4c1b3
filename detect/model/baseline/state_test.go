package baseline

import (
	"testing"

	"flyball/schema"
)

func TestStateWithoutItsReason(t *testing.T) {
	const day = int64(24 * 3600e9)
	for name, tc := range map[string]struct {
		f     Facts
		state schema.BaselineState
		why   string
	}{
		"nothing is known":                       {Facts{}, schema.BaselineLearning, WhyFewRuns},
		"one run too few":                        {Facts{Runs: Enough - 1, TaughtAt: day, SeenAt: day}, schema.BaselineLearning, WhyFewRuns},
		"enough":                                 {Facts{Runs: Enough, TaughtAt: day, SeenAt: day}, schema.BaselineActive, WhyTaught},
		"quiet since it taught":                  {Facts{Runs: Enough, TaughtAt: day, SeenAt: day}, schema.BaselineActive, WhyTaught},
		"calls for a week and nothing teaches":   {Facts{Runs: Enough, TaughtAt: day, SeenAt: 9 * day}, schema.BaselineStale, WhyUntaught},
		"exactly a week":                         {Facts{Runs: Enough, TaughtAt: day, SeenAt: 8 * day}, schema.BaselineActive, WhyTaught},
		"an operator is heard before all else":   {Facts{Frozen: true, Incident: true}, schema.BaselineFrozen, WhyOperator},
		"an incident":                            {Facts{Runs: 500, Incident: true, SeenAt: 99 * day}, schema.BaselineFrozen, WhyIncident},
		"forgotten":                              {Facts{Runs: 3, Reset: true}, schema.BaselineLearning, WhyReset},
		"forgotten long ago":                     {Facts{Runs: 300, Reset: true}, schema.BaselineActive, WhyTaught},
		"a version beside another, few runs":     {Facts{Runs: 300, Version: "2", VersionRuns: 3, Versions: 2}, schema.BaselineLearning, WhyNewVersion},
		"a version beside another, enough of it": {Facts{Runs: 300, Version: "2", VersionRuns: 30, Versions: 2}, schema.BaselineActive, WhyTaught},
		"the only version":                       {Facts{Runs: 300, Version: "1", VersionRuns: 30, Versions: 1}, schema.BaselineActive, WhyTaught},
	} {
		if state, why := StateOf(tc.f); state != tc.state || why != tc.why {
			t.Errorf("%s: %v (%s), want %v (%s)", name, state, why, tc.state, tc.why)
		}
	}
}
