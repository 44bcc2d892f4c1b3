package learn

import (
	"fmt"
	"testing"
	"time"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/callrate"
	"flyball/schema"
)

const day = int64(24 * time.Hour)

// taughtRun returns a run of one agent that ended on a day.
func taughtRun(agent string, number int, lastAt int64, mark func(*baseline.TrainingRun)) *baseline.TrainingRun {
	r := &baseline.TrainingRun{ID: fmt.Sprint(agent, number), Agent: agent, Group: "g", LastAt: lastAt}
	var memory feature.RunMemory
	for i := range 4 {
		c := feature.Input{Route: feature.RouteHash("GET /things"), Args: uint64(number*10 + i), Result: 1, Bytes: 100}
		r.Features, r.Routes = append(r.Features, memory.Add(&c)), append(r.Routes, "GET /things")
	}
	if mark != nil {
		mark(r)
	}
	return r
}

func runsOf(agent string, n int, lastAt int64) (out []*baseline.TrainingRun) {
	for i := range n {
		out = append(out, taughtRun(agent, i, lastAt, nil))
	}
	return out
}

// version returns a baseline of runs that was made at a time, with the status of its agents.
func version(name string, madeAt int64, parent *baseline.Baseline, orders *Overrides, runs []*baseline.TrainingRun,
	seen map[string]int64) *baseline.Baseline {
	b := learnBaseline("t", runs)
	b.Version, b.MadeAt, b.Since = name, madeAt, madeAt-30*day
	b.CallRates = &callrate.Model{Agents: map[string]callrate.AgentRate{"g/a": {Level: 1}}}
	chosen := &Selection{Status: map[string]*baseline.AgentStatus{}, Excluded: map[string]uint64{}}
	for agent, at := range seen {
		chosen.Status[agent] = &baseline.AgentStatus{SeenAt: at, Group: "g", Excluded: map[string]uint64{}}
	}
	assignStatus(b, parent, chosen, orders, runs, nil)
	return b
}

func TestStatusOfAnAgentIsWrong(t *testing.T) {
	none := &Overrides{}
	before := version("t/1", 40*day, nil, none, append(runsOf("g/a", 30, 39*day), runsOf("g/b", 30, 39*day)...),
		map[string]int64{"g/a": 39 * day, "g/b": 39 * day})
	if s := before.Status["g/a"]; s.State != schema.BaselineActive || s.Runs != 30 || s.Calls != 120 || s.TaughtAt != 39*day {
		t.Fatalf("before: %+v", s)
	}
	order := func(at int64) schema.BaselineOrder { return schema.BaselineOrder{Tenant: "t", At: at} }
	for name, tc := range map[string]struct {
		orders  *Overrides
		runs    []*baseline.TrainingRun
		seen    map[string]int64
		agent   string
		state   schema.BaselineState
		why     string
		runsNow uint64
		carried string
	}{
		"active": {none, runsOf("g/a", 30, 40*day), map[string]int64{"g/a": 40 * day}, "g/a", schema.BaselineActive,
			baseline.WhyTaught, 30, ""},
		"few runs": {none, runsOf("g/c", 3, 40*day), map[string]int64{"g/c": 40 * day}, "g/c", schema.BaselineLearning,
			baseline.WhyFewRuns, 3, ""},
		"nothing teaches it":   {none, nil, map[string]int64{"g/a": 50 * day}, "g/a", schema.BaselineStale, baseline.WhyUntaught, 30, "t/1"},
		"nothing for six days": {none, nil, map[string]int64{"g/a": 45 * day}, "g/a", schema.BaselineLearning, baseline.WhyFewRuns, 0, ""},
		"an incident": {&Overrides{Incidents: map[string]int64{"g/a": 39 * day}}, runsOf("g/a", 5, 38*day),
			map[string]int64{"g/a": 40 * day}, "g/a", schema.BaselineFrozen, baseline.WhyIncident, 30, "t/1"},
		"frozen by an operator": {&Overrides{Freeze: map[string]schema.BaselineOrder{"g/a": order(39 * day)}}, nil,
			map[string]int64{"g/a": 40 * day}, "g/a", schema.BaselineFrozen, baseline.WhyOperator, 30, "t/1"},
		"frozen and silent": {&Overrides{Freeze: map[string]schema.BaselineOrder{schema.EveryAgent: order(39 * day)}}, nil, nil, "g/b",
			schema.BaselineFrozen, baseline.WhyOperator, 30, "t/1"},
		"reset": {&Overrides{Reset: map[string]schema.BaselineOrder{"g/a": order(40*day + 1)}}, nil,
			map[string]int64{"g/a": 50 * day}, "g/a", schema.BaselineLearning, baseline.WhyReset, 0, ""},
	} {
		b := version("t/2", 41*day, before, tc.orders, tc.runs, tc.seen)
		s, there := b.Status[tc.agent]
		if !there || s.State != tc.state || s.Why != tc.why || s.Runs != tc.runsNow || s.CarriedFrom != tc.carried {
			t.Errorf("%s: %+v", name, s)
		}
		if want := tc.runsNow > 0; b.Has(tc.agent) != want {
			t.Errorf("%s: counts kept: %v, want %v", name, b.Has(tc.agent), want)
		}
		if _, rated := b.CallRates.Agents["g/a"]; rated == (name == "reset") {
			t.Errorf("%s: a call rate is kept: %v", name, rated)
		}
	}
}

func TestRunThatDoesNotTeachIsCountedAsTeaching(t *testing.T) {
	runs := runsOf("g/a", 2, 40*day)
	runs = append(runs,
		taughtRun("g/a", 10, 40*day, func(r *baseline.TrainingRun) { r.Features, r.Routes = nil, nil }),
		taughtRun("g/a", 11, 40*day, func(r *baseline.TrainingRun) { r.Outside = true }),
		taughtRun("g/a", 12, 40*day, func(r *baseline.TrainingRun) { r.Trimmed = true }),
		taughtRun("g/a", 13, 40*day, func(r *baseline.TrainingRun) { r.Alarmed = true }))
	b := version("t/1", 41*day, nil, &Overrides{}, runs, map[string]int64{"g/a": 40 * day, "~said": 40 * day})
	want := map[string]uint64{baseline.ExcludedNoCalls: 1, baseline.ExcludedOutsideScope: 1, baseline.ExcludedTrimmed: 1}
	if s := b.Status["g/a"]; s.Runs != 2 || s.Calls != 8 || fmt.Sprint(s.Excluded) != fmt.Sprint(want) {
		t.Errorf("%+v", s)
	}
	if s, there := b.Status["~said"]; there {
		t.Errorf("a name that was only asserted and taught nothing has a status: %+v", s)
	}
}

func TestRunIsSelectedAgainstAnOrder(t *testing.T) {
	run := func(id string, at int64) StoredRun { return StoredRun{ID: id, Hash: uint64(at), At: at} }
	history := map[string]*AgentHistory{"g/a": {
		Agent: "g/a", SeenAt: 9, Excluded: map[string]uint64{baseline.ExcludedOpen: 4},
		Clean:   map[uint16]*Day{1: {Runs: 3, Sample: []StoredRun{run("old", 1), run("middle", 5), run("new", 9)}}},
		Alarmed: map[uint16]*Day{1: {Runs: 1, Sample: []StoredRun{run("alarm", 6)}}},
	}}
	ids := func(s *Selection) (out string) {
		for _, r := range s.Runs {
			out += fmt.Sprint(r.ID, ":", r.Alarmed, " ")
		}
		return out
	}
	for name, tc := range map[string]struct {
		orders   *Overrides
		selected string
		clean    int
		excluded map[string]uint64
	}{
		"none": {&Overrides{}, "new:false middle:false old:false alarm:true ", 3, map[string]uint64{baseline.ExcludedOpen: 4,
			baseline.ExcludedAlarmed: 1}},
		"incident": {&Overrides{Incidents: map[string]int64{"g/a": 5}}, "middle:false old:false ", 2, map[string]uint64{baseline.ExcludedOpen: 4,
			baseline.ExcludedFrozen: 2}},
		"reset": {&Overrides{Reset: map[string]schema.BaselineOrder{"g/a": {At: 5}}}, "new:false alarm:true ", 1,
			map[string]uint64{baseline.ExcludedOpen: 4, baseline.ExcludedReset: 2, baseline.ExcludedAlarmed: 1}},
	} {
		s := SelectRuns(history, tc.orders, 200)
		if got := ids(s); got != tc.selected || s.Clean != tc.clean || fmt.Sprint(s.Excluded) != fmt.Sprint(tc.excluded) {
			t.Errorf("%s: %q, %d clean, excluded %v", name, got, s.Clean, s.Excluded)
		}
	}
	if s := SelectRuns(history, &Overrides{}, 2); s.Clean != 2 || s.Excluded[baseline.ExcludedEnough] != 1 {
		t.Errorf("two runs are enough: %d, %v", s.Clean, s.Excluded)
	}
}

func TestCallAbovePinIsRead(t *testing.T) {
	if got := (Pin{}).only("c."); got != "" {
		t.Errorf("no pin: %q", got)
	}
	want := " AND c.calls_offset < transform(c.calls_partition, [0,2], CAST([7,9], 'Array(Int64)'), toInt64(0))"
	if got := (Pin{2: 9, 0: 7}).only("c."); got != want {
		t.Errorf("%q", got)
	}
}
