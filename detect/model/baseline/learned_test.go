package baseline

import (
	"fmt"
	"math"
	"testing"
	"time"

	"flyball/detect/model/calibrate"
	"flyball/schema"
)

func runsOf(agent string, n int) (out []*TrainingRun) {
	for i := range n {
		out = append(out, run(agent, "", int64(i), 3, 0))
	}
	return out
}

// The class that is shown, with the runs behind it, is the one that judges: at each number of runs around the limits.
func TestShownClassDiffersFromTheOneThatJudges(t *testing.T) {
	for _, sizes := range [][]int{{0}, {19}, {20}, {21}, {20, 39}, {20, 40}, {20, 20, 20}, {20, 20, 19}, {20, 20, 19, 1}, {19, 19, 19, 19},
		{70, 3}} {
		var runs []*TrainingRun
		for i, n := range sizes {
			runs = append(runs, runsOf(fmt.Sprint("g/", i), n)...)
		}
		b := learned(append(runs, runsOf("other/a", 1)...)...)
		b.Status = map[string]AgentStatus{"g/only called": {Group: "g"}, "x/stranger": {Group: "x"}}
		if all := b.LearnedAgents(); len(all) != len(b.AgentNames()) {
			t.Errorf("%v: %d of %d agents are shown", sizes, len(all), len(b.AgentNames()))
		}
		for agent, l := range b.LearnedAgents() {
			if want := b.Acquaintance(agent, l.Group); l.Acquaintance != want {
				t.Errorf("%v: %s is shown as %v, and judged as %v: %+v", sizes, agent, l.Acquaintance, want, l)
			}
			if l.WaitRuns+min(l.Runs, MinAgentRuns) != MinAgentRuns || l.Runs != uint64(b.Lengths.Agents[agent].N) {
				t.Errorf("%v: %s: %+v", sizes, agent, l)
			}
		}
		if got, want := b.LearnedOfNewcomer("g").Acquaintance, b.Acquaintance("g/new", "g"); got != want {
			t.Errorf("%v: a newcomer is shown as %v, and judged as %v", sizes, got, want)
		}
		peer := b.LearnedAgents()["g/0"]
		for group, of := range map[string]*schema.Learned{"g": &peer, "nobody": nil} {
			if got, want := LearnedOfNewcomer(b.Runs, group, of, RunRate{}).Acquaintance, b.Acquaintance(group+"/new", group); got != want {
				t.Errorf("%v: a new agent of %s is shown as %v, and judged as %v", sizes, group, got, want)
			}
		}
	}
	if got, want := LearnedOfNewcomer(0, "g", nil, RunRate{}).Acquaintance, (*Baseline)(nil).Acquaintance("g/a", "g"); got != want {
		t.Errorf("without a baseline an agent is shown as %v, and judged as %v", got, want)
	}
}

// A baseline has no runs if all that were selected are out of their scope. Its classes have scores of groups to be judged
// by, and nothing was learned all the same.
func TestBaselineWithoutRunsReachesALevel(t *testing.T) {
	b := learned()
	b.ByClass = &ByClass{NewPopulation: calibrate.Populations{Groups: map[string]calibrate.Rank{}}}
	class := b.Acquaintance("g/a", "g")
	if class != schema.NothingLearned || b.Thresholds().Uncalibrated(class) != WhyNothingLearned {
		t.Errorf("%v, %s", class, b.Thresholds().Uncalibrated(class))
	}
	for i, level := range b.Thresholds().Levels(class, "g", .001) {
		if level != math.MaxFloat64 {
			t.Errorf("a score above %g reaches level %v", level, schema.Level(i+1))
		}
	}
}

// A caller can claim two names with many runs, and does not make its invented peer group a known one.
func TestClaimedNamesAreKnownPeers(t *testing.T) {
	b := learned(append(runsOf("~x/a", 60), append(runsOf("~x/b", 60), runsOf("x/c", 5)...)...)...)
	for group, peers := range b.peers().known() {
		if want := map[string]uint64{PeerGroup("x/c", schema.CallerAgent): 1}[group]; peers != want {
			t.Errorf("group %s: %d known peers, want %d", group, peers, want)
		}
	}
}

// A version without strangers has a reason for them too: the next agent that calls may be one.
func TestClassWithoutAgentsSeemsCalibrated(t *testing.T) {
	b := learned(runsOf("g/a", 40)...)
	for name, tc := range map[string]struct {
		of     *ByClass
		why    string
		silent bool
	}{
		"too few groups":     {&ByClass{}, WhyFewPopulations, true},
		"an earlier release": {nil, WhyEarlierRelease, false},
	} {
		b.ByClass = tc.of
		for v, why := range b.Thresholds().UncalibratedClasses() {
			if why == "" || why != b.Thresholds().Uncalibrated(v) {
				t.Errorf("%s: %v is uncalibrated because of %q", name, v, why)
			}
		}
		l := schema.Learned{Acquaintance: schema.NewPopulation, Uncalibrated: b.Thresholds().UncalibratedClasses()[schema.NewPopulation]}
		if l.Uncalibrated != tc.why || NeverTrips(&l) != tc.silent {
			t.Errorf("%s: a stranger never trips: %v, because of %q", name, NeverTrips(&l), l.Uncalibrated)
		}
	}
	for _, l := range []schema.Learned{{Acquaintance: schema.NewPopulation},
		{Acquaintance: schema.KnownAgent, Uncalibrated: WhyFewClassRuns}} {
		if NeverTrips(&l) {
			t.Errorf("%+v never trips", l)
		}
	}
}

// A version or a task type of a known agent is judged as the agent.
func TestPartOfAnAgentIsShownAsAStranger(t *testing.T) {
	var runs []*TrainingRun
	for i := range 25 {
		runs = append(runs, run("g/a", fmt.Sprint(i%2), int64(i), 3, 0))
	}
	b := learned(runs...)
	if all := b.LearnedAgents(); len(all) != 1 || all["g/a"].Acquaintance != schema.KnownAgent || all["g/a"].PeerAgents != 1 {
		t.Errorf("%+v", all)
	}
}

func TestWaitForAcquaintance(t *testing.T) {
	const day = int64(24 * time.Hour)
	rate := func(change func(*RunRate)) RunRate {
		p := RunRate{Runs: 20, First: day, Now: 11 * day, Pending: 2, Quarantine: 24 * time.Hour} // two runs a day for ten days
		if change != nil {
			change(&p)
		}
		return p
	}
	unknown := math.NaN()
	for name, tc := range map[string]struct {
		runs uint64
		rate RunRate
		days float64
	}{
		"none is missing":                       {0, rate(nil), 0},
		"none is missing, and frozen":           {0, rate(func(p *RunRate) { p.Frozen = true }), 0},
		"those in quarantine are enough":        {2, rate(nil), 1},
		"eight more at two a day, then a day":   {10, rate(nil), 5},
		"without quarantine":                    {10, rate(func(p *RunRate) { p.Quarantine, p.Pending = 0, 0 }), 5},
		"a quarantine of a quarter":             {10, rate(func(p *RunRate) { p.Quarantine = 6 * time.Hour }), 4.25},
		"frozen":                                {10, rate(func(p *RunRate) { p.Frozen = true }), unknown},
		"no runs":                               {20, RunRate{Now: day, Quarantine: time.Hour}, unknown},
		"the first run is not recorded":         {10, rate(func(p *RunRate) { p.First = 0 }), unknown},
		"too young for a rate":                  {10, rate(func(p *RunRate) { p.First = p.Now - int64(time.Minute) }), unknown},
		"a clock that goes back":                {10, rate(func(p *RunRate) { p.First = p.Now + day }), unknown},
		"too young for a rate, but enough runs": {2, rate(func(p *RunRate) { p.First = p.Now }), 1},
	} {
		got := float64(tc.rate.wait(tc.runs))
		if math.IsNaN(got) != math.IsNaN(tc.days) || math.Abs(got-tc.days) > 1e-12 {
			t.Errorf("%s: %v days, want %v", name, got, tc.days)
		}
	}
}
