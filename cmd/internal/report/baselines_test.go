package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/schema"
	"flyball/schema/wording"
)

// uneven returns a version with agents of every class: two known ones of a known group, a new one of it, and one of
// another group.
func uneven() *baseline.Baseline {
	const day = int64(24 * time.Hour)
	b := baseline.New("t")
	b.Version, b.MadeAt, b.Status = "t/1", 20*day, map[string]baseline.AgentStatus{}
	b.Provenance.Quarantine = day
	for _, a := range []struct {
		agent string
		runs  int
		young uint64
	}{{"shop/a", 80, 3}, {"shop/b", 45, 3}, {"shop/new", 12, 4}, {"cloud/audit", 4, 2}, {"cloud/none", 0, 0}} {
		group := baseline.PeerGroup(a.agent, 0)
		for i := range a.runs {
			var m feature.RunMemory
			in := feature.Input{Route: feature.RouteHash("GET /v1/orders"), Bytes: 100}
			b.Learn(&baseline.TrainingRun{ID: fmt.Sprint(a.agent, i), Agent: a.agent, Group: group,
				Features: []feature.CallFeatures{m.Add(&in)}, Routes: []string{"GET /v1/orders"}})
		}
		b.Status[a.agent] = baseline.AgentStatus{Group: group, Runs: uint64(a.runs), FirstAt: 12 * day,
			Excluded: map[string]uint64{baseline.ExcludedYoung: a.young}}
	}
	b.Finish()
	return b
}

func TestBaselineHidesWhoIsAStranger(t *testing.T) {
	var out bytes.Buffer
	if err := Baseline(&out, NewBody(uneven(), .001)); err != nil {
		t.Fatal(err)
	}
	for agent, want := range map[string]string{ // shop/new has 16 runs in 8 days, 4 of them in quarantine
		"shop/a":      "known_agent 80 137 runs, 3 agents -",
		"shop/new":    "new_agent 12 of 20 137 runs, 3 agents 8 more clean runs (4 in quarantine), about 3 days",
		"cloud/audit": "new_population 4 of 20 4 of 100 runs, 0 of 2 agents 16 more clean runs (2 in quarantine), about 20 days",
		"cloud/none":  "new_population 0 of 20 4 of 100 runs, 0 of 2 agents 20 more clean runs",
	} {
		found := false
		for line := range strings.Lines(out.String()) {
			words := strings.Join(strings.Fields(line), " ")
			found = found || strings.HasPrefix(words, agent+" ") && strings.Contains(words, want)
		}
		if !found {
			t.Errorf("%s is not shown as %q in\n%s", agent, want, &out)
		}
	}
	if !strings.Contains(out.String(), "new_population: a stranger: nobody has learned this population yet") {
		t.Errorf("the class has no text in\n%s", &out)
	}
}

func TestListOfVersionsHidesStrangers(t *testing.T) {
	var v Version
	v.Fill(uneven())
	text, err := json.Marshal(v.Acquaintance)
	if want := `{"known_agent":2,"new_agent":1,"new_population":2}`; err != nil || string(text) != want {
		t.Errorf("%s, want %s; %v", text, want, err)
	}
	var out bytes.Buffer
	if err := Versions(&out, []Version{v}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), "yes") && !strings.Contains(out.String(), "STRANGERS") {
		t.Errorf("%s", &out)
	}
}

func TestOneAgentsBaselineHidesItsClass(t *testing.T) {
	for agent, want := range map[string][]string{
		"cloud/audit": {"class       new_population: a stranger", "own runs 4 of 20; peers 4 of 100 runs, 0 of 2 agents",
			"until it is known: 16 more clean runs (2 in quarantine), about 20 days"},
		"shop/a": {"class       known_agent: known: it is compared with its own past", "own runs 80; peers 137 runs, 3 agents"},
	} {
		v, known := NewAgent(uneven(), agent, .001)
		var out bytes.Buffer
		if err := AgentBaseline(&out, v); err != nil || !known {
			t.Fatal(err, known)
		}
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%q is not in\n%s", w, &out)
			}
		}
	}
	v, known := NewAgent(uneven(), "shop/never", .001)
	if known || v.Learned.Acquaintance != schema.NewAgent || v.Learned.WaitRuns != baseline.MinAgentRuns {
		t.Errorf("an agent that is not in the version: %v, %+v", known, v.Learned)
	}
}

// A class that cannot be calibrated says why, and that it abstains.
func TestUncalibratedClassShowsThresholdsOfItsOwn(t *testing.T) {
	scores := make([]float64, 400)
	weights := make([]float64, len(scores))
	for i := range scores {
		scores[i], weights[i] = float64(i)/400, 1
	}
	rank := calibrate.NewRank(scores, weights)
	b := uneven()
	b.Calibration = calibrate.FitScores(scores, weights)
	b.ByClass = &baseline.ByClass{KnownAgent: rank, NewPopulation: calibrate.Populations{Groups: map[string]calibrate.Rank{}}}
	for n := 1; n <= calibrate.MinPopulations; n++ {
		b.ByClass.NewPopulation.Groups[fmt.Sprint("g", n)] = rank
		want := fmt.Sprintf("new_population 2 4.61 6.91 never %s of %d groups", wording.Figure(float64(400*n), wording.Plain), n)
		if n == calibrate.MinPopulations {
			want = "new_population 2 3.00 4.61 6.91 1,600 of 4 groups"
		}
		var out bytes.Buffer
		if err := Baseline(&out, NewBody(b, .001)); err != nil {
			t.Fatal(err)
		}
		words := strings.Join(strings.Fields(out.String()), " ")
		if !strings.Contains(words, want) || strings.Contains(words, "it abstains from trips") != (n < calibrate.MinPopulations) ||
			!strings.Contains(words, "it is compared with its peers; too few clean runs of the class were held out") ||
			!strings.Contains(words, "counts half in each class") {
			t.Errorf("%d groups: %q is not in\n%s", n, want, &out)
		}
	}
	v, _ := NewAgent(b, "cloud/audit", .001)
	text, err := json.Marshal(v)
	if err != nil || !strings.Contains(string(text), `"thresholds":{"annotate":`) {
		t.Errorf("%s, %v", text, err)
	}
}
