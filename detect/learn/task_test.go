package learn

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/detect/model/scope"
	"flyball/detect/score"
	"flyball/schema"
)

// typed makes runs of two task types: one in ten is a long run of some sixty calls with the declared task
// "archive", the others are short runs with the declared task "look_up".
func typed(seed uint64, n int) (out []*baseline.TrainingRun) {
	g := &traffic{r: rand.New(rand.NewPCG(seed, 5))}
	for i := range n {
		agent := g.r.IntN(8)
		r := &baseline.TrainingRun{ID: fmt.Sprint(seed, "/", i), Agent: fmt.Sprint("g/", agent), Group: "g"}
		if g.r.Float64() < .1 {
			r.Scope = &scope.TrainingRun{ID: r.ID, Agent: r.Agent, Group: r.Group, Declared: "archive"}
			walk(r, 45+g.r.IntN(30), g.r.IntN(1000))
		} else {
			r.Scope = &scope.TrainingRun{ID: r.ID, Agent: r.Agent, Group: r.Group, Declared: "look_up"}
			walk(r, 2+g.r.IntN(6), g.r.IntN(1000))
		}
		out = append(out, r)
	}
	SetTaskTypes(out)
	return out
}

func walk(r *baseline.TrainingRun, calls, from int) {
	var f feature.RunMemory
	const route = "GET /archives/{}"
	for i := range calls {
		c := feature.Input{
			Route:     feature.RouteHash(route),
			Args:      uint64(from + i + 1),
			Result:    uint64(from+i+1) * 7,
			Bytes:     200,
			Resources: []uint64{uint64(i % 3)},
		}
		r.Features, r.Routes = append(r.Features, f.Add(&c)), append(r.Routes, route)
	}
	r.Resources = f.Resources()
}

func TestLongTaskIsAFloodForItselfAndAFloodIsNoLongTask(t *testing.T) {
	body := Fit("t", typed(1, 2400))
	model, threshold := score.NewModel(body), body.Calibration.Threshold(calibrate.AlertShare)
	rate := func(runs []*baseline.TrainingRun, as string) (alarmed float64) {
		for _, r := range runs {
			one := *r
			one.TaskType = as
			if score.FinalScore(model, &one) > threshold {
				alarmed++
			}
		}
		return alarmed / float64(len(runs))
	}
	var long, short []*baseline.TrainingRun
	for _, r := range typed(2, 4000) {
		if r.TaskType == "archive" {
			long = append(long, r)
		} else {
			short = append(short, r)
		}
	}
	var flood []*baseline.TrainingRun // long runs with the task type of short ones
	for _, r := range short[:200] {
		f := *r
		f.Features, f.Routes = nil, nil
		walk(&f, 60, 5)
		flood = append(flood, &f)
	}
	t.Logf(
		"alarm at a budget of %g: archive %.4f (as its agent %.4f), look_up %.4f (as its agent %.4f), sixty calls in look_up %.3f (as its "+
			"agent %.3f)",
		calibrate.AlertShare,
		rate(long, "archive"),
		rate(long, ""),
		rate(short, "look_up"),
		rate(short, ""),
		rate(flood, "look_up"),
		rate(flood, ""),
	)
	if r := rate(long, "archive"); r > 2*calibrate.AlertShare {
		t.Errorf("%.4f of archive's runs alarm", r)
	}
	if r := rate(short, "look_up"); r > 2*calibrate.AlertShare {
		t.Errorf("%.4f of look_up's runs alarm", r)
	}
	if r := rate(flood, "look_up"); r < .95 {
		t.Errorf("%.3f of runs that walk through everything alarm", r)
	}
	if asked := rate(flood, "invented"); asked != rate(flood, "") {
		t.Errorf("an invented type: %.3f", asked)
	}
}

// The drift limit of an agent and its freeze apply to its task types too.
func TestTaskTypeJumpsWhereItsAgentMayNot(t *testing.T) {
	life := func() *Selection {
		c := &Selection{Status: map[string]*baseline.AgentStatus{}, Excluded: map[string]uint64{}}
		for a := range 8 {
			c.Status[fmt.Sprint("g/", a)] = &baseline.AgentStatus{Excluded: map[string]uint64{}, Group: "g"}
		}
		return c
	}
	settled := func(parent *baseline.Baseline, words *Overrides, at int64, calls int) *baseline.Baseline {
		runs := typed(3, 2400)
		for _, r := range runs {
			if r.TaskType == "archive" && calls > 0 {
				r.Features, r.Routes = nil, nil
				walk(r, calls, 5)
			}
		}
		b := Fit("t", runs)
		b.Version, b.MadeAt = fmt.Sprint("t/", at), at
		assignStatus(b, parent, life(), words, runs, nil)
		return b
	}
	const hour = int64(3600e9)
	length := func(b *baseline.Baseline) float64 {
		return b.Lengths.ForAgent(baseline.TaskKey("g/0", "archive"), "g", 0).Mean
	}
	before := settled(nil, &Overrides{}, hour, 0)
	free, bound := settled(nil, &Overrides{}, 2*hour, 900), settled(before, &Overrides{}, 2*hour, 900)
	frozen := settled(before, &Overrides{Freeze: map[string]schema.BaselineOrder{"g/0": {Agent: "g/0", Kind: schema.OrderFreeze, At: 1}}},
		2*hour, 900)
	t.Logf("log calls: before %.2f, an hour later %.2f, unbound %.2f, frozen %.2f", length(before), length(bound), length(free),
		length(frozen))
	if length(free)-length(before) < 1 || length(bound)-length(before) > .2 {
		t.Error("an hour moves it like a day")
	}
	if key := baseline.TaskKey("g/0", "archive"); frozen.Agents[key] != before.Agents[key] || len(frozen.Tasks["g/0"]) != 2 {
		t.Errorf("frozen: %+v", frozen.Tasks["g/0"])
	}
}

func TestTaskTypesOfAnAgentFillTheBaseline(t *testing.T) {
	size := func(agents, types int) int {
		b := baseline.New("t")
		for a := range agents {
			for r := range 20 * max(types, 1) {
				run := &baseline.TrainingRun{ID: fmt.Sprint(a, r), Agent: fmt.Sprint("g/agent-", a), Group: "g"}
				if types > 0 {
					run.TaskType = fmt.Sprint("type-of-task-", r%types)
				}
				var f feature.RunMemory
				for n := range 30 {
					route := fmt.Sprint("GET /v1/things/{id}/part", (a+r*n)%12)
					c := feature.Input{Route: feature.RouteHash(route), Args: uint64(n), Result: uint64(n), Bytes: 300}
					run.Features, run.Routes = append(run.Features, f.Add(&c)), append(run.Routes, route)
				}
				b.Learn(run)
			}
		}
		b.Finish()
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		return len(text)
	}
	for types, most := range map[int]int{0: 8 << 10, 16: 32 << 10, 60: 32 << 10} {
		each := (size(40, types) - size(20, types)) / 20
		t.Logf("%d types: %d bytes an agent", types, each)
		if each > most {
			t.Errorf("%d types of task: %d bytes an agent", types, each)
		}
	}
}
