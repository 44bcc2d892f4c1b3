package evaluate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"flyball/detect/feature"
	"flyball/detect/learn"
	"flyball/detect/model/baseline"
	"flyball/detect/score"
	"flyball/schema"
)

// populations makes clean runs of five peer groups with their own APIs, four agents each, that read one resource after
// another and write once.
func populations(runs int) (out []*Labelled) {
	for g := range 5 {
		for i := range runs {
			r := &Labelled{ID: fmt.Sprintf("g%d-%04d", g, i), Set: "agentdojo", Group: fmt.Sprint("g", g), FirstBad: -1,
				Agent: fmt.Sprintf("g%d/a%d", g, i%4), Task: fmt.Sprint("t", i%13), Start: time.Unix(int64(1000*i), 0)}
			for n := range 3 + (i*7)%5 {
				r.Calls = append(r.Calls, apiCall(fmt.Sprintf("GET /api%d/orders/{id}", g), uint64(100*i+n), false))
			}
			r.Calls = append(r.Calls, apiCall(fmt.Sprintf("POST /api%d/notes", g), uint64(i), true))
			out = append(out, r)
		}
	}
	return out
}

func apiCall(route string, arg uint64, write bool) LabelledCall {
	return LabelledCall{Route: route, Read: !write, Input: feature.Input{Route: feature.RouteHash(route), API: apiOf(route),
		Args: arg, Result: 300 + arg%50, Write: write, Resources: []uint64{feature.ResourceHash("", fmt.Sprint("order:", arg))}}}
}

func TestLeftOutGroupIsLearned(t *testing.T) {
	all := populations(160)
	for _, r := range all[:10] {
		r.Group = "small"
	}
	folds := LeaveGroupsOut(all, all, []*Labelled{{ID: "bad", Group: "g1"}, {ID: "other", Group: "nobody"}})
	if len(folds) != 5 { // the group of ten runs is not left out; its runs are missing in g0, which has 150 left
		t.Fatalf("%d folds", len(folds))
	}
	for _, f := range folds {
		group := f.Test[0].Group
		for _, r := range f.Train {
			if r.Group == group {
				t.Fatalf("%s teaches the detector that is judged without %s", r.ID, group)
			}
		}
		for _, r := range f.Test {
			if r.Group != group {
				t.Fatalf("%s is judged in the fold of %s", r.ID, group)
			}
		}
		if want := group == "g1"; (len(f.Runaways) == 1) != want {
			t.Errorf("%s: %d runaways", group, len(f.Runaways))
		}
	}
	if folds := LeaveGroupsOut(all[160:], all[:160], nil); len(folds) != 0 {
		t.Errorf("%d groups are left out that nobody taught", len(folds))
	}
}

func TestLeftOutAgentIsLearned(t *testing.T) {
	all := populations(160)
	judged := map[string]bool{}
	for _, f := range LeaveAgentsOut(all, all) {
		out := map[string]bool{}
		for _, r := range f.Test {
			out[r.Agent] = true
			judged[r.ID] = true
		}
		for _, r := range f.Train {
			if out[r.Agent] {
				t.Fatalf("%s teaches the detector that is judged without %s", r.ID, r.Agent)
			}
		}
	}
	if len(judged) != len(all) {
		t.Errorf("%d of %d runs are judged", len(judged), len(all))
	}
	if folds := LeaveAgentsOut(all[160:], all[:160]); len(folds) != 0 {
		t.Errorf("%d folds of agents without known peers", len(folds))
	}
}

func TestEvaluationTakesStrangersForKnown(t *testing.T) {
	all := populations(160)
	loop := *all[0]
	loop.ID, loop.Set, loop.Kind, loop.Speed, loop.Base, loop.Onset = "loop", "runaways", "loop", "own", all[0].ID, len(all[0].Calls)
	for range 40 {
		loop.Calls = append(loop.Calls[:len(loop.Calls):len(loop.Calls)], loop.Calls[0])
	}
	parts := Parts{WithoutGroup: LeaveGroupsOut(all, all, []*Labelled{&loop}), WithoutAgents: LeaveAgentsOut(all, all)}
	steps := 0
	r := Evaluate(parts, "full", func(done, of int) {
		steps++
		if done != steps || of != len(parts.WithoutGroup)+len(parts.WithoutAgents) {
			t.Errorf("%d of %d is done, after %d", done, of, steps)
		}
	})
	if n := r.Strangers.Classes["new_population"]; n != r.Strangers.Runs || n != 5*4*maxNegatives || len(r.Strangers.Groups) != 5 {
		t.Errorf("%+v", r.Strangers)
	}
	if s := r.Strangers.Scenarios; len(s) != 2 || s[0].Levels["0.001"].Detected != 1 {
		t.Errorf("a loop of a stranger: %+v", s)
	}
	if n := r.NewAgents.Classes["new_agent"]; n != r.NewAgents.Runs || n == 0 || n+r.NewAgents.Classes["new_population"] != 5*4*maxNegatives {
		t.Errorf("%+v", r.NewAgents)
	}
}

func TestNewVersionOfAKnownAgentIsAStranger(t *testing.T) {
	var teach []*baseline.TrainingRun
	for _, r := range populations(160) {
		run := r.trainingRun()
		run.Version = "1"
		teach = append(teach, run)
	}
	b := learn.Fit("t", teach)
	for _, version := range []string{"", "1", "2"} {
		key, _ := baseline.ComparisonKey(b, "g0/a0", version, "")
		if class := b.Acquaintance(key, "g0"); class != schema.KnownAgent {
			t.Errorf("version %q, key %q: %v", version, key, class)
		}
		var run score.RunScore
		c := apiCall("GET /api0/orders/{id}", 1, false)
		run.Add(score.NewModel(b), score.Reference{Agent: "g0/a0", Group: "g0", Version: version}, &c.Input, 0, schema.ReadOnly)
		if run.Acquaintance() != schema.KnownAgent || run.Stranger() {
			t.Errorf("a run of version %q: %v", version, run.Acquaintance())
		}
	}
	if class := b.Acquaintance(baseline.VersionKey("g0/a9", "1"), "g0"); class != schema.NewAgent {
		t.Errorf("a version of an agent that nobody knows: %v", class)
	}
}

// apiOf returns the API of a route by its name.
func apiOf(route string) uint64 {
	var in feature.Input
	method, path, _ := strings.Cut(route, " ")
	feature.Extract(&schema.Call{Method: method, RouteKey: path}, &in)
	return in.API
}

func TestNewApiBehindAKnownAgentIsKnown(t *testing.T) {
	d := LearnDetector(populations(160))
	r := &Labelled{Agent: "g0/a0", Group: "g0"}
	var run score.RunScore
	known := d.Thresholds(r.Agent, r.Group)
	for _, tc := range []struct {
		route string
		known bool
	}{
		{"GET /api0/orders/{id}", true},
		{"GET /api0/refunds/{id}", true}, // a new route of a known API
		{"GET /cluster/pods", false},
		{"GET /api1/orders/{id}", false}, // only another population uses it
		{"GET /api0/orders/{id}", true},
	} {
		c := apiCall(tc.route, 5, false)
		run.Add(d.model, r.reference(), &c.Input, 0, schema.ReadOnly)
		if got := d.Baseline.KnownAPIs.Knows(r.Group, c.API); got != tc.known {
			t.Errorf("%s: the API is known: %v", tc.route, got)
		}
		if got := run.Acquaintance(); got != schema.KnownAgent || run.Stranger() {
			t.Errorf("%s: the agent is a %v", tc.route, got)
		}
		if levels := run.Levels(Levels[1]); levels[1] != known[0] || levels[2] != known[1] {
			t.Errorf("%s: thresholds %v, not those of the agent, %v", tc.route, levels, known)
		}
	}
}
