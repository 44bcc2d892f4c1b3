package baseline

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"flyball/detect/feature"
	"flyball/detect/model/calibrate"
	"flyball/detect/model/callrate"
	"flyball/detect/model/scope"
	"flyball/detect/model/sharedcredential"
	"flyball/schema"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenRun makes a run that depends only on its number.
func goldenRun(agent, version, task string, n int) *TrainingRun {
	r := &TrainingRun{ID: fmt.Sprint(agent, version, task, n), Agent: agent, Group: PeerGroup(agent, 0), Version: version, TaskType: task,
		Start: int64(n) * 1e9, LastAt: int64(n)*1e9 + 5e8,
		Usage: feature.Usage{Irreversible: uint64(n % 3), Tokens: uint64(n%4) * 300, Money: float64(n%2) * 12.5, Parallel: uint64(n % 5)}}
	var memory feature.RunMemory
	for i := range 4 + n%7 {
		route := fmt.Sprintf("%s /v1/things/%d", [...]string{"GET", "POST"}[i%2], (i+n)%4)
		c := feature.Input{
			Route:     feature.RouteHash(route),
			Args:      uint64(i / (1 + n%3)),
			Result:    1,
			Bytes:     100 * uint64(i+1),
			Write:     i%2 == 1,
			Failed:    (i+n)%6 == 0,
			Resources: []uint64{feature.ResourceHash("thing", fmt.Sprint(n, i))},
		}
		r.Features, r.Routes = append(r.Features, memory.Add(&c)), append(r.Routes, route)
	}
	r.Resources = memory.Resources()
	return r
}

// goldenBaseline makes a baseline with values in every part that is kept by agent.
func goldenBaseline(version string, shift int) *Baseline {
	var runs []*TrainingRun
	for n := range 30 {
		runs = append(runs, goldenRun("g/a", "1", "refund", n+shift), goldenRun("g/a", "2", "", n+2*shift), goldenRun("g/b", "", "", n),
			goldenRun("h/c", "", "", n+shift))
	}
	FillRecentMaxima(runs)
	b := New("t")
	b.Version, b.MadeAt, b.Since, b.Until = version, 7e18, 5e18, 6e18
	for _, r := range runs {
		b.Learn(r)
	}
	b.Finish()
	rank := func(n int) calibrate.Rank {
		return calibrate.Rank{
			Runs:   float64(60 + n),
			Scores: []float64{9 + float64(n), 4, 1}[:2+n%2],
			Above:  []float64{0, 3, 10 + float64(n)}[:2+n%2],
		}
	}
	b.Ranks = calibrate.Ranks{
		All:    rank(0),
		Groups: map[string]calibrate.Rank{"g": rank(1)},
		Agents: map[string]calibrate.Rank{"g/a": rank(2 + shift), "g/b": rank(3)},
	}
	b.Calibration = calibrate.FitScores([]float64{1, 2, 3, 4, 5, 6}, []float64{1, 1, 1, 1, 1, 1})
	b.AcrossRuns.Calibration = calibrate.FitScores([]float64{1, 2, 3, 4, 5, 6}, []float64{1, 1, 1, 1, 1, 1})
	b.CallRates = &callrate.Model{
		Weeks:  3,
		All:    callrate.GroupRate{Level: 1, RelVariance: 2, Spread: 3, ActiveQuarters: 4},
		Groups: map[string]callrate.GroupRate{"g": {Level: 5, RelVariance: 1, Spread: 2, ActiveQuarters: 7, Factors: []float64{1, .5}}},
		Agents: map[string]callrate.AgentRate{
			"g/a": {Level: 2 + float64(shift), RelVariance: .5, Spread: 1.5, ActiveQuarters: 8},
			"g/b": {Level: 3, RelVariance: .25, Spread: 2, ActiveQuarters: 6},
		},
	}
	b.Scopes = goldenScopes(shift)
	b.People = &sharedcredential.TenantPeople{Model: "m", Sessions: 5, Assets: .5}
	b.Status = map[string]AgentStatus{
		"g/a": {
			State:        schema.BaselineActive,
			Why:          WhyTaught,
			Group:        "g",
			Runs:         60,
			Calls:        400,
			TaughtAt:     5e18,
			SeenAt:       6e18,
			Excluded:     map[string]uint64{ExcludedFrozen: 2},
			DriftAllowed: .5,
		},
		"g/b": {State: schema.BaselineFrozen, Why: WhyOperator, Group: "g", Order: &schema.BaselineOrder{Tenant: "t", Agent: "g/b", At: 3}},
	}
	b.Provenance = Provenance{Parent: "t/0", Quarantine: 5, Pin: map[int32]int64{0: 9}, Code: "c"}
	return b
}

func goldenScopes(shift int) *scope.Model {
	var runs []*scope.TrainingRun
	for i := range 24 {
		r := &scope.TrainingRun{
			ID:    fmt.Sprint(i),
			Agent: fmt.Sprint("g/", string(rune('a'+i%2))),
			Group: "g",
			Task:  "refund",
			Names: []string{"GET /orders/{}", "POST /refunds"},
		}
		r.Calls = []scope.Access{
			scope.NewAccess(r.Names[0], false, nil),
			scope.NewAccess(r.Names[1], true, []schema.Resource{{Type: "account", ID: fmt.Sprint("main", shift)}}),
		}
		runs = append(runs, r)
	}
	return scope.LearnModel(runs)
}

// golden compares a value as JSON with a file: texts exactly, numbers with a tolerance for rounding,
// which differs between processors.
func golden(t *testing.T, name string, got any) {
	t.Helper()
	raw, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "golden", name+".json")
	if *update {
		if err := os.WriteFile(file, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var g, w any
	for _, pair := range []struct {
		raw  []byte
		into *any
	}{{raw, &g}, {want, &w}} {
		if err := json.Unmarshal(pair.raw, pair.into); err != nil {
			t.Fatal(err)
		}
	}
	sameJSON(t, name, g, w)
}

func sameJSON(t *testing.T, at string, got, want any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		for k := range w {
			sameJSON(t, at+"."+k, g[k], w[k])
		}
		for k := range g {
			if _, there := w[k]; !there {
				t.Errorf("%s.%s is not in the golden file", at, k)
			}
		}
	case []any:
		g, _ := got.([]any)
		if len(g) != len(w) {
			t.Errorf("%s: %d values, want %d", at, len(g), len(w))
			return
		}
		for i := range w {
			sameJSON(t, fmt.Sprintf("%s[%d]", at, i), g[i], w[i])
		}
	case float64:
		if g, ok := got.(float64); !ok || math.Abs(g-w) > 1e-12*max(1, math.Abs(w)) {
			t.Errorf("%s: %v, want %v", at, got, want)
		}
	default:
		if got != want {
			t.Errorf("%s: %v, want %v", at, got, want)
		}
	}
}

// The result of every operation on a baseline is the same as when the files were written. It does not depend on the
// names of fields in Go or in JSON.
func TestOperationOnABaselineChangedItsResult(t *testing.T) {
	golden(t, "learned", goldenBaseline("t/1", 0))

	copied := goldenBaseline("t/2", 3)
	copied.CopyAgent(goldenBaseline("t/1", 0), "g/a")
	golden(t, "copied", copied)

	partly := goldenBaseline("t/2", 3) // without the optional parts
	partly.CallRates, partly.Ranks.Agents = nil, nil
	from := goldenBaseline("t/1", 0)
	from.Scopes, from.Parallel.Within = nil, nil
	partly.CopyAgent(from, "h/c")
	partly.CopyAgent(from, "g/a")
	golden(t, "copied_in_part", partly)

	forgotten := goldenBaseline("t/1", 0)
	forgotten.perAgent().remove("g/a")
	golden(t, "forgotten", forgotten)

	limited, before := goldenBaseline("t/2", 40), goldenBaseline("t/1", 0)
	shares := map[string]float64{}
	for _, key := range []string{"g/a", "h/c", TaskKey("g/a", "refund"), VersionKey("g/a", "2")} {
		shares[key] = limited.LimitDrift(before, key, "g", .05)
	}
	golden(t, "limited", limited)
	golden(t, "limited_shares", shares)
}

// Decoding and encoding a baseline of an earlier release gives the same JSON.
func TestStoredBaselineIsReadDifferently(t *testing.T) {
	for _, name := range []string{"learned", "copied", "copied_in_part", "forgotten", "limited"} {
		raw, err := os.ReadFile(filepath.Join("testdata", "golden", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var b Baseline
		if err := json.Unmarshal(raw, &b); err != nil {
			t.Fatal(err)
		}
		if err := b.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !*update {
			golden(t, name, &b)
		}
	}
}

// The error for a meaningless number in a baseline contains the number and its path.
func TestUnsoundPartIsNamedDifferently(t *testing.T) {
	nan := math.NaN()
	texts := map[string]string{}
	for name, change := range map[string]func(*Baseline){
		"hits of an agent":  func(b *Baseline) { c := b.Agents["g/a"]; c[2] = Count{5, 4}; b.Agents["g/a"] = c },
		"hits of everybody": func(b *Baseline) { b.All[1].Calls = -1 },
		"hits on a route": func(b *Baseline) {
			c := b.Routes["g"]["GET /v1/things/0"]
			c[0] = Count{nan, 1}
			b.Routes["g"]["GET /v1/things/0"] = c
		},
		"amount of a group":      func(b *Baseline) { b.Lengths.Groups["g"] = Moments{N: 3, Sum: 9, Sum2: 1} },
		"amount of everybody":    func(b *Baseline) { b.Money.All.Sum2 = 1e300 },
		"amount on a route":      func(b *Baseline) { b.PerRoute.Groups["g"]["x"] = Moments{N: -1} },
		"offset":                 func(b *Baseline) { b.PerRoute.Offsets["g/a"] = nan },
		"transitions of a group": func(b *Baseline) { b.Sequence.Groups["g"].After[""]["x"] = math.Inf(1) },
		"no transitions":         func(b *Baseline) { b.Sequence.Agents["g/a"] = nil },
		"runs of an agent":       func(b *Baseline) { b.IdenticalCalls.Within["g"]["g/a"] = RunCounts{0, -1} },
		"runs of a group":        func(b *Baseline) { b.NewOnRoute.Groups["g"] = make(RunCounts, 300) },
		"runs across runs":       func(b *Baseline) { b.AcrossRuns.Retries.All = RunCounts{nan} },
		"named resources":        func(b *Baseline) { b.KnownResources.Runs["g"] = nan },
		"no filter":              func(b *Baseline) { b.KnownResources.Groups["g"] = nil },
		"calibration":            func(b *Baseline) { b.Calibration.Beta = math.Inf(1) },
		"empirical tail":         func(b *Baseline) { b.Calibration.Scores[1] = nan },
		"calibration of actors":  func(b *Baseline) { b.AcrossRuns.Calibration.PU = nan },
		"rank of an agent":       func(b *Baseline) { b.Ranks.Agents["g/a"] = calibrate.Rank{Runs: nan} },
		"rank of a group":        func(b *Baseline) { b.Ranks.Groups["g"] = calibrate.Rank{Above: []float64{nan}} },
		"people":                 func(b *Baseline) { b.People.Pace.SD = nan },
		"call rate of an agent":  func(b *Baseline) { b.CallRates.Agents["g/a"] = callrate.AgentRate{ActiveQuarters: nan} },
		"call rate of a group":   func(b *Baseline) { b.CallRates.Groups["g"] = callrate.GroupRate{Factors: []float64{1, nan}} },
		"call rate of everybody": func(b *Baseline) { b.CallRates.All.Level = math.Inf(-1) },
		"calibration of a rate":  func(b *Baseline) { b.CallRates.Calibration.T1 = nan },
		"no scope of an agent":   func(b *Baseline) { b.Scopes.Own["g/a"]["refund"] = nil },
		"no scope of peers":      func(b *Baseline) { b.Scopes.Peers["g"]["refund"] = nil },
		"allowed drift":          func(b *Baseline) { s := b.Status["g/a"]; s.DriftAllowed = nan; b.Status["g/a"] = s },
		"version without a name": func(b *Baseline) { b.Version = "" },
	} {
		b := goldenBaseline("t/1", 0)
		change(b)
		err := b.Check()
		if err == nil {
			t.Errorf("%s: it passes", name)
			continue
		}
		texts[name] = err.Error()
	}
	golden(t, "unsound", texts)
}
