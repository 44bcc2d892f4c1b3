package learn

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/score"
	"flyball/schema"
)

const aDay = int64(24 * time.Hour)

// teacher is an agent that knows the baseline: all its runs go as far as they can without an alert.
type teacher struct {
	*traffic
	others, own []*baseline.TrainingRun
	call        func(n int) feature.Input // the n-th call of such a run
	bounded     bool
	parent      *baseline.Baseline
	helds       int // days on which it was held
}

const (
	teacherName  = "g0/a0"
	teacherGroup = "g0"
	taughtRoute  = "GET /v0/things/1"
)

func (x *teacher) run(day, calls int) *baseline.TrainingRun {
	r := x.traffic.run()
	r.Agent, r.Group, r.Start, r.LastAt = teacherName, teacherGroup, int64(day)*aDay+1, int64(day)*aDay+int64(x.n)
	if calls == 0 {
		return r
	}
	var f feature.RunMemory
	r.Features, r.Routes = nil, nil
	for i := range calls {
		c := x.call(i)
		c.Route = feature.RouteHash(taughtRoute)
		r.Features, r.Routes = append(r.Features, f.Add(&c)), append(r.Routes, taughtRoute)
	}
	return r
}

// furthest returns how many such calls a run of an agent makes without an alert, up to 300.
func (x *teacher) furthest(agent string) int {
	model, run := score.NewModel(x.parent), score.RunScore{}
	levels := x.parent.Thresholds().Levels(schema.KnownAgent, teacherGroup, .001)
	for n := range 300 {
		c := x.call(n)
		c.Route = feature.RouteHash(taughtRoute)
		run.Add(model, score.Reference{Agent: agent, Group: teacherGroup}, &c, int64(n)*1e9, schema.ReversibilityUnknown)
		if levels.For(run.Score) >= schema.LevelAlert {
			return n
		}
	}
	return 300
}

// learn learns the runs of a day, as Learner.Learn does.
func (x *teacher) learn(day int) {
	now := int64(day+1) * aDay
	orders := noOrders()
	if x.bounded {
		heldBefore(x.parent, orders, now)
	}
	chosen := &Selection{Status: map[string]*baseline.AgentStatus{}, Excluded: map[string]uint64{}}
	var runs []*baseline.TrainingRun
	for _, r := range append(append([]*baseline.TrainingRun(nil), x.others...), x.own[max(0, len(x.own)-200):]...) {
		if chosen.Status[r.Agent] == nil {
			chosen.Status[r.Agent] = &baseline.AgentStatus{Group: r.Group, Excluded: map[string]uint64{}}
		}
		if held := orders.Grown[r.Agent]; held == 0 || r.LastAt <= held {
			runs = append(runs, r)
		}
	}
	markOutliers(x.parent, runs)
	body := Fit("t", runs)
	var all growths
	if x.bounded {
		var grown []string
		if all, grown = measureGrowth(body, x.parent, chosen.groupOf, orders, now); len(grown) > 0 {
			body = Fit("t", withoutGrown(runs, grown, all, chosen, orders))
		}
	}
	body.MadeAt, body.Until = now, now
	assignStatus(body, x.parent, chosen, orders, runs, all)
	if x.parent = body; body.Status[teacherName].Why == baseline.WhyGrown {
		x.helds++
	}
}

func noOrders() *Overrides {
	return &Overrides{Freeze: map[string]schema.BaselineOrder{}, Reset: map[string]schema.BaselineOrder{}, Incidents: map[string]int64{},
		Grown: map[string]int64{}}
}

func newTeacher(bounded bool, call func(int) feature.Input) *teacher {
	x := &teacher{traffic: &traffic{r: rand.New(rand.NewPCG(7, 8))}, call: call, bounded: bounded}
	for _, r := range x.runs(600) {
		if r.Agent == teacherName {
			r.Agent = "g0/a4"
		}
		x.others = append(x.others, r)
	}
	for i := range 50 {
		x.own = append(x.own, x.run(-5+i/10, 0))
	}
	x.learn(0)
	return x
}

// A month in which each run goes as far as it can without an alert: a factor of two a day has no end.
func TestMonthOfSlowTeachingAllowsAnything(t *testing.T) {
	for name, call := range map[string]func(int) feature.Input{
		"loop": func(int) feature.Input { return feature.Input{Args: 1, Result: 1, Bytes: 200} },
		"failing retries": func(int) feature.Input {
			return feature.Input{Args: 1, Result: feature.FailedResult, Failed: true}
		},
		"deletions": func(n int) feature.Input {
			return feature.Input{Args: uint64(n + 1), Result: uint64(n + 1), Write: true, Delete: true, Resources: []uint64{uint64(n + 1)}}
		},
	} {
		for _, bounded := range []bool{true, false} {
			days := 16
			if !bounded {
				days = 11
			}
			if !bounded && name != "deletions" {
				continue
			}
			x := newTeacher(bounded, call)
			first, other, line := x.furthest(teacherName), x.furthest("g0/a8"), []int(nil)
			otherNow := 0
			for day := 1; day < days; day++ {
				most := x.furthest(teacherName)
				for range 10 {
					x.own = append(x.own, x.run(day, most))
				}
				x.learn(day)
				line, otherNow = append(line, x.furthest(teacherName)), max(otherNow, x.furthest("g0/a8"))
			}
			last := slices.Max(line)
			t.Logf("%s, bounded %v: %d such calls without an alert before, then %v; another agent %d and %d; held on %d days", name, bounded,
				first, line, other, otherNow, x.helds)
			switch {
			case !bounded && last < 40:
				t.Errorf("%s: without the bound a run makes %d such calls: the test shows nothing", name, last)
			case bounded && (last > baseline.GrowthFactor*first+5 || otherNow > baseline.GrowthFactor*other+5):
				t.Errorf("%s: %d such calls without an alert, %d before; of another agent %d, %d before", name, last, first, otherNow, other)
			case bounded && x.helds == 0:
				t.Errorf("%s: nothing says that it grew", name)
			}
		}
	}
}

// An agent whose runs have grown too far teaches nothing until somebody resets it or a period is over; then it is compared with
// the same figures again.
func TestGrownAgentTeaches(t *testing.T) {
	const a = "g/a"
	perRun := func(deletions float64) []float64 {
		out := make([]float64, int(feature.NumEvents)+2)
		out[feature.Deletions], out[feature.NumEvents] = deletions, 10
		return out
	}
	parent := func(g *baseline.Growth, madeAt int64) *baseline.Baseline {
		return &baseline.Baseline{MadeAt: madeAt, Status: map[string]baseline.AgentStatus{a: {Growth: g, TaughtAt: madeAt - aDay}}}
	}
	var none *baseline.Growth
	g := none.Next(perRun(.2), perRun(.2), 0, 10*aDay)
	if g = g.Next(perRun(1.3), perRun(1.3), 10*aDay, 11*aDay); g.HeldSince != 0 {
		t.Fatalf("four times and the slack are too far: %+v", g)
	}
	g = g.Next(perRun(1.4), perRun(1.4), 11*aDay, 12*aDay)
	if g.HeldSince != 11*aDay || g.Was != .2 || g.Is != 1.4 || !strings.Contains(g.What, "delete") {
		t.Fatalf("%+v", g)
	}
	orders := noOrders()
	heldBefore(parent(g, 12*aDay), orders, 13*aDay)
	if at, order := orders.frozenAt(a); at != 11*aDay || order != nil {
		t.Errorf("frozen at %d, by %v", at, order)
	}
	orders.Incidents[a] = 9 * aDay
	if at, _ := orders.frozenAt(a); at != 9*aDay {
		t.Errorf("frozen at %d, the incident was before", at)
	}
	orders = noOrders()
	orders.Reset[a] = schema.BaselineOrder{At: 12 * aDay}
	if heldBefore(parent(g, 12*aDay), orders, 13*aDay); len(orders.Grown) != 0 {
		t.Error("a reset agent is held")
	}
	if all, _ := measureGrowth(&baseline.Baseline{}, parent(g, 12*aDay), (&Selection{}).groupOf, orders, 13*aDay); len(all) != 0 {
		t.Error("a reset agent is compared with what it did before")
	}
	later := 11*aDay + int64(baseline.GrowthPeriod)
	if heldBefore(parent(g, later-1), orders, later); len(orders.Grown) != 0 {
		t.Error("an agent is held for ever")
	}
	g = g.Next(nil, nil, 11*aDay, later)
	if g.HeldSince != 0 || g.Since != later || g.PerRun[feature.Deletions] != .2 {
		t.Fatalf("after the period: %+v", g)
	}
	if again := g.Next(perRun(1.4), perRun(1.4), later, later+aDay); again.HeldSince != later {
		t.Error("after the period it is compared with what it did when it was held")
	}
	next := g.Next(perRun(.9), perRun(.9), later, later+int64(baseline.GrowthPeriod))
	if next.PerRun[feature.Deletions] != .9 || next.HeldSince != 0 {
		t.Errorf("figures of more than a period ago are compared with: %+v", next)
	}
	before := &baseline.Growth{Since: 1, PerRun: []float64{0, 0, 0}} // of a version with other figures
	if other := before.Next(perRun(1.4), perRun(1.4), later, later); other.HeldSince != 0 || len(other.PerRun) != len(perRun(0)) {
		t.Errorf("%+v", other)
	}
}

// An agent whose first runs were trials grows by a large factor when it begins to do what its peers do.
func TestBeginnerHasGrownTooFar(t *testing.T) {
	call := func(int) feature.Input { return feature.Input{Args: 1, Result: 1} }
	x := newTeacher(true, call)
	x.own = nil
	for i := range 30 { // one call each
		r := x.run(-3+i/10, 1)
		x.own = append(x.own, r)
	}
	x.parent = nil
	x.learn(0)
	for day := 1; day < 4; day++ {
		for range 30 {
			x.own = append(x.own, x.run(day, 0)) // as its peers
		}
		x.learn(day)
	}
	if s := x.parent.Status[teacherName]; x.helds != 0 || s.Growth == nil || s.Runs < 100 {
		t.Errorf("held on %d days: %+v", x.helds, s)
	}
}

// An agent whose work has grown is compared with what it was, and trips sooner. It stood in the log once, and where nobody looks.
func TestGrownAgentsAreNotNamedToAnOperator(t *testing.T) {
	body := &baseline.Baseline{Status: map[string]baseline.AgentStatus{}}
	l := New(DefaultOptions())
	if l.Warning() != nil || grownText(body) != "" {
		t.Fatalf("%v %q", l.Warning(), grownText(body))
	}
	for i := range 5 {
		body.Status[fmt.Sprint("team/", i)] = baseline.AgentStatus{State: schema.BaselineFrozen, Why: baseline.WhyGrown}
	}
	body.Status["team/incident"] = baseline.AgentStatus{State: schema.BaselineFrozen, Why: baseline.WhyIncident}
	text := grownText(body)
	l.grown.Store(&text)
	want := "the runs of 5 agents do more than 4 times what they did, and teach nothing any more (team/0, team/1, team/2, …)"
	err := l.Warning()
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "flyball baselines reset AGENT") {
		t.Errorf("%v", err)
	}
}
