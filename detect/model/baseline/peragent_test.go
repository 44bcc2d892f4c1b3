package baseline

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"flyball/detect/feature"
	"flyball/detect/model/callrate"
	"flyball/detect/model/scope"
	"flyball/schema"
)

// run makes a run of an agent: a number of calls of one route, of which some repeat.
func run(agent, version string, at int64, calls, repeats int) *TrainingRun {
	r := &TrainingRun{
		ID:      fmt.Sprint(agent, version, at),
		Agent:   agent,
		Group:   PeerGroup(agent, 0),
		Version: version,
		LastAt:  at,
		Usage:   feature.Usage{Irreversible: 1, Tokens: 900, Money: 5, Parallel: 2},
	}
	var f feature.RunMemory
	for i := range calls {
		route := fmt.Sprint("GET /v1/things/", i%3)
		c := feature.Input{Route: feature.RouteHash(route), Args: uint64(max(i-repeats, 0)), Result: 1, Bytes: 100 * uint64(i+1)}
		r.Features, r.Routes = append(r.Features, f.Add(&c)), append(r.Routes, route)
	}
	return r
}

func learned(runs ...*TrainingRun) *Baseline {
	b := New("t")
	b.Version = "t/1"
	b.Scopes = &scope.Model{Own: map[string]map[string]*scope.LearnedScope{}}
	b.CallRates = &callrate.Model{Agents: map[string]callrate.AgentRate{}}
	for _, r := range runs {
		b.Learn(r)
		b.Scopes.Own[r.Agent] = map[string]*scope.LearnedScope{"task": {Runs: uint32(len(r.Features))}}
		b.CallRates.Agents[r.Agent] = callrate.AgentRate{Level: float64(len(r.Features)), RelVariance: 1, Spread: 2, ActiveQuarters: 3}
	}
	b.Finish()
	return b
}

func text(t *testing.T, b *Baseline) string {
	t.Helper()
	raw, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// All counts by agent are removed and copied with the agent. A new
// count that is missing in perAgent fails this test.
func TestAgentIsForgottenInPart(t *testing.T) {
	b := learned(run("g/only", "", 1, 9, 3), run("g/other", "", 1, 5, 1))
	if n := strings.Count(text(t, b), `"g/only"`); n < 7 {
		t.Fatalf("counted in %d places: the test shows nothing", n)
	}
	before := text(t, b)
	c := learned(run("g/only", "", 1, 9, 3), run("g/other", "", 1, 5, 1), run("g/only", "", 2, 40, 30))
	copier{c, b}.copyKey("g/only")
	for _, part := range []string{"agents", "offsets", "own", "g"} { // g is the group, in which distributions are kept
		if got, want := heldOf(t, text(t, c), part), heldOf(t, before, part); got != want {
			t.Errorf("%s of a carried agent:\n%s\nwant\n%s", part, got, want)
		}
	}
	b.perAgent().remove("g/only")
	if s := text(t, b); strings.Contains(s, `"g/only"`) || !strings.Contains(s, `"g/other"`) {
		t.Errorf("left of a forgotten agent: %s", s)
	}
}

// heldOf returns the values of g/only in the JSON of a baseline, under members with a name.
func heldOf(t *testing.T, text, member string) string {
	t.Helper()
	var doc any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	var out []string
	var walk func(any, string)
	walk = func(v any, at string) {
		m, ok := v.(map[string]any)
		if !ok {
			return
		}
		for k, inner := range m {
			if of, is := inner.(map[string]any); is && k == member && of["g/only"] != nil {
				raw, _ := json.Marshal(of["g/only"])
				out = append(out, at+string(raw))
			}
			walk(inner, at+k+".")
		}
	}
	walk(doc, "")
	return fmt.Sprint(len(out)) + strings.Join(sorted(out), "\n")
}

func sorted(in []string) []string {
	slices.Sort(in)
	return in
}

func callsOf(c Counts) float64 { return c.ForEvent(feature.Failures).Calls }

func TestVersionIsComparedWithItself(t *testing.T) {
	var runs []*TrainingRun
	for i := range int64(100) {
		runs = append(runs, run("g/a", "1", i, 10, 0), run("g/b", "", i, 10, 1))
	}
	for i := range int64(30) {
		runs = append(runs, run("g/a", "2", 200+i, 20, 8))
	}
	for i := range int64(5) {
		runs = append(runs, run("g/a", "3", 300+i, 30, 8))
	}
	b := learned(runs...)
	for _, tc := range []struct{ agent, version, key, why string }{
		{"g/a", "", "g/a", WhyTaught},
		{"g/a", "3", VersionKey("g/a", "3"), WhyNewVersion},
		{"g/a", "2", VersionKey("g/a", "2"), WhyTaught},
		{"g/a", "1", VersionKey("g/a", ""), WhyNewVersion}, // older than the kept versions
		{"g/a", "4", VersionKey("g/a", ""), WhyNewVersion},
		{"g/b", "1", "g/b", WhyTaught}, // states no version
		{"g/none", "1", "g/none", WhyTaught},
	} {
		if key, why := ComparisonKey(b, tc.agent, tc.version, ""); key != tc.key || why != tc.why {
			t.Errorf("%s of %s: %q (%s), want %q (%s)", tc.version, tc.agent, key, why, tc.key, tc.why)
		}
	}
	if key, _ := ComparisonKey(nil, "a", "1", "t"); key != "a" {
		t.Errorf("without a baseline: %q", key)
	}
	// The runs of the part, and a share of its agent's other runs with the weight of ten: counts in closed form.
	two := callsOf(b.Agents[VersionKey("g/a", "2")])
	if want := 30*20 + 10./105*(100*10+5*30); math.Abs(two-want) > 1e-9 {
		t.Errorf("version 2 rests on %g calls, want %g", two, want)
	}
	any := callsOf(b.Agents[VersionKey("g/a", "")])
	if want := 10. / 135 * (100*10 + 30*20 + 5*30); math.Abs(any-want) > 1e-9 {
		t.Errorf("any other version rests on %g calls, want %g", any, want)
	}
	if n := b.Lengths.Agents[VersionKey("g/a", "")].N; math.Abs(n-10) > 1e-9 {
		t.Errorf("any other version rests on %g runs, want 10", n)
	}
	if _, there := b.Sequence.Agents[VersionKey("g/a", "2")]; there {
		t.Error("orders of routes are kept by version: the size of a baseline grows with each")
	}
	if names := fmt.Sprint(b.AgentNames()); names != "[g/a g/b]" {
		t.Errorf("agents: %s", names)
	}
	// An agent with only one version: its counts are not stored twice.
	if one := learned(run("g/a", "1", 1, 10, 0)); one.Has(VersionKey("g/a", "1")) || len(one.Versions["g/a"]) != 1 {
		t.Error("the only version is kept beside its agent")
	}
	if err := b.Check(); err != nil {
		t.Error(err)
	}
}

func TestInventedVersionsFillTheBody(t *testing.T) {
	var runs []*TrainingRun
	for i := range int64(200) {
		runs = append(runs, run("g/a", fmt.Sprint("v", i), i, 5, 0))
	}
	b := learned(runs...)
	if len(b.Agents) != 2+maxVersions || b.Versions["g/a"][0].Version != "v199" || len(b.Versions["g/a"]) != maxVersions {
		t.Errorf("%d keys, %+v", len(b.Agents), b.Versions)
	}
}

func TestUnsoundBodyIsScoredBy(t *testing.T) {
	good := func() *Baseline { return learned(run("g/a", "1", 1, 9, 3), run("g/a", "2", 2, 9, 3)) }
	if err := good().Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Baseline){
		"more hits than calls":    func(b *Baseline) { c := b.Agents["g/a"]; c[0] = Count{5, 4}; b.Agents["g/a"] = c },
		"a count below zero":      func(b *Baseline) { b.All[1].Calls = -1 },
		"not a number":            func(b *Baseline) { b.PerRoute.Offsets["g/a"] = math.NaN() },
		"infinite":                func(b *Baseline) { b.Calibration.Beta = math.Inf(1) },
		"a variance below zero":   func(b *Baseline) { b.Lengths.Groups["g"] = Moments{N: 3, Sum: 9, Sum2: 1} },
		"sums beyond all bounds":  func(b *Baseline) { b.Bytes.All.Sum2 = 1e300 },
		"runs that were not":      func(b *Baseline) { b.IdenticalCalls.Within["g"]["g/a"] = RunCounts{0, -1} },
		"runs below zero":         func(b *Baseline) { b.Writes.All.N = -3 },
		"no order where one is":   func(b *Baseline) { b.Sequence.Agents["g/a"] = nil },
		"a version without name":  func(b *Baseline) { b.Version = "" },
		"a tail that is no score": func(b *Baseline) { b.Calibration.Scores = append(b.Calibration.Scores, math.NaN()) },
	} {
		b := good()
		change(b)
		if err := b.Check(); !errors.Is(err, ErrUnsound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// For any counts, figures do not change by more than the factor. Smaller changes are not limited.
func TestFiguresJumpFurtherThanADayAllows(t *testing.T) {
	var quiet, loud []*TrainingRun
	for i := range int64(30) {
		quiet = append(quiet, run("g/a", "", i, 20, 1), run("g/b", "", i, 20, 2))
		loud = append(loud, run("g/a", "", i, 200, 150), run("g/b", "", i, 20, 2))
	}
	before := learned(quiet...)
	for _, days := range []float64{0, 1. / 24, 1, 3} {
		b := learned(loud...)
		let := b.LimitDrift(before, "g/a", "g", days)
		from, to := figuresOf(before, "g/a", "g"), figuresOf(b, "g/a", "g")
		most, moved := math.Log(DriftPerDay)*days, peerFigures{b, "g"}.drift(&from, &to)
		if moved > most+1e-9 || moved < most*.99 || let <= 0 && days > 0 || let >= 1 {
			t.Errorf("in %g days by a factor of %g, share %g", days, math.Exp(moved), let)
		}
		if err := b.Check(); err != nil {
			t.Errorf("in %g days: %v", days, err)
		}
	}
	b := learned(loud...)
	want := text(t, b)
	if let := b.LimitDrift(before, "g/b", "g", 1); let != 1 || text(t, b) != want {
		t.Errorf("an agent that did not move was touched: %g", let)
	}
	if let := b.LimitDrift(New("t"), "g/a", "g", 0); let != 1 {
		t.Errorf("an agent that was not there before was bounded: %g", let)
	}
}

// An agent whose drift is limited by a version that had not stored days is known by the days of now.
func TestAgentWithALimitedDriftIsAStranger(t *testing.T) {
	mix := rateTable(&callrate.Model{}).(table[callrate.AgentRate]).mix
	if got := mix(callrate.AgentRate{Level: 2}, callrate.AgentRate{Level: 4, Days: 20}, .1); got.Days != 20 || got.Level != 2.2 {
		t.Errorf("%+v", got)
	}
}

// A frozen agent keeps the hours of its group, also when none of the group has called since.
func TestFrozenAgentHasTheHoursOfOthers(t *testing.T) {
	was, now := learned(run("h/a", "", 1, 9, 3)), learned(run("g/b", "", 1, 5, 1))
	was.CallRates.Groups = map[string]callrate.GroupRate{"h": {Level: 3}}
	now.CopyAgent(was, "h/a")
	if class := now.CallRates.Acquaintance("h/a", "h"); class != schema.KnownAgent {
		t.Errorf("%v: %+v", class, now.CallRates)
	}
	now = learned(run("g/b", "", 1, 5, 1))
	now.CallRates = nil
	now.CopyAgent(was, "h/a")
	if now.CallRates != nil {
		t.Error("call rates that were not learned are there")
	}
}
