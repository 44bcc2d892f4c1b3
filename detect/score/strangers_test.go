package score

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/schema"
	"flyball/schema/wire"
)

// Tests the scores of strangers and of known agents that call unknown APIs in between, against the independent
// implementation.
func TestEveryStatisticOfStrangersAgreesWithReference(t *testing.T) {
	ref := load(t)
	m := NewModel(ref.byClass())
	compared, strange, known := 0, 0, 0
	for i := range ref.ByClass.Test {
		r := &ref.ByClass.Test[i]
		var run RunScore
		for n := range r.Calls {
			c := r.Calls[n].feature()
			run.Add(m, Reference{Agent: r.Agent, Group: r.Group}, &c, int64(n), schema.ReversibilityUnknown)
			want := ref.ByClass.Scores[i][n]
			if run.Stranger() != (want[statIrreversible+1] == 1) {
				t.Fatalf("run %s call %d: stranger is %v", r.ID, n+1, run.Stranger())
			}
			if run.Stranger() {
				strange++
			} else {
				known++
			}
			for st := range statIrreversible { // the calls of the reference have no usage
				if got := run.value(st); !near(got, want[st]) {
					t.Fatalf("run %s of %s call %d: %s is %v, the reference has %v", r.ID, r.Agent, n+1, st, got, want[st])
				}
				compared++
			}
			if got := run.Score; !near(got, want[statIrreversible]) {
				t.Fatalf("run %s of %s call %d: score %v, the reference has %v", r.ID, r.Agent, n+1, got, want[statIrreversible])
			}
			compared++
		}
	}
	if strange < 200 || known < 100 {
		t.Errorf("%d calls of strangers, %d of others", strange, known)
	}
	t.Logf("%d values of %d calls of strangers and %d others", compared, strange, known)
}

// Encoding and decoding a run after any call does not change its further scores, levels and class, also where the calls of
// one run are scored on two scales.
func TestStrangersRunGoesOnAfterCheckpointAtAnyCall(t *testing.T) {
	ref := load(t)
	body := ref.byClass()
	for i := range ref.ByClass.Test {
		r := &ref.ByClass.Test[i]
		m := NewModel(body)
		who := Reference{Agent: r.Agent, Group: r.Group}
		run, straight, last := new(RunScore), new(RunScore), 0.
		for n := range r.Calls {
			c := r.Calls[n].feature()
			run.Add(m, who, &c, int64(n), schema.Irreversible)
			straight.Add(m, who, &c, int64(n), schema.Irreversible)
			if run.Score != straight.Score || run.Families != straight.Families || run.leading != straight.leading || run.Score < last ||
				run.Acquaintance() != straight.Acquaintance() || run.Stranger() != straight.Stranger() || run.Levels(.001) != straight.Levels(.001) {
				t.Fatalf("run %s call %d: score %v after %v, without checkpoints %v", r.ID, n+1, run.Score, last, straight.Score)
			}
			last = run.Score
			for f := range Family(NumFamilies) {
				a, b := fmt.Sprint(run.Explain(f, c.Route)), fmt.Sprint(straight.Explain(f, c.Route))
				if a != b {
					t.Fatalf("run %s call %d: %s is explained as %s, without checkpoints as %s", r.ID, n+1, f, a, b)
				}
			}
			w := wire.NewWriter(nil, 'x', 5)
			run.Code(w)
			again := new(RunScore)
			rd, err := wire.NewReader(w.Bytes(), 'x', 5)
			if err != nil {
				t.Fatal(err)
			}
			again.Code(rd)
			run = again
			if run.Stranger() || run.Acquaintance() != schema.AcquaintanceUnrecorded || run.Explain(0, c.Route) != nil {
				t.Fatalf("a run without a model has a class")
			}
		}
	}
}

// With a baseline of an earlier release, runs are scored as before, to the last bit.
func TestEarlierBaselineScoresUnknownAPIsAsBefore(t *testing.T) {
	ref := load(t)
	body := ref.byClass()
	body.ByClass = nil
	m := NewModel(body)
	for i := range ref.ByClass.Test {
		r := &ref.ByClass.Test[i]
		var with, without RunScore
		for n := range r.Calls {
			c := r.Calls[n].feature()
			with.Add(m, Reference{Agent: r.Agent, Group: r.Group}, &c, int64(n), schema.ReversibilityUnknown)
			c.API = 0
			without.Add(m, Reference{Agent: r.Agent, Group: r.Group}, &c, int64(n), schema.ReversibilityUnknown)
			if with.Score != without.Score || with.Families != without.Families || with.Stranger() ||
				with.Levels(.001) != body.Calibration.Levels(.001) {
				t.Fatalf("run %s call %d: score %v, %v", r.ID, n+1, with.Score, without.Score)
			}
		}
	}
}

// acquainted returns a baseline of one population, of two agents and of callers without a name, that calibrates a number
// of populations. more are further runs.
func acquainted(populations int, more ...*baseline.TrainingRun) *baseline.Baseline {
	b := baseline.New("t")
	b.Version = "t/1"
	scores, weights := make([]float64, 2000), make([]float64, 2000)
	for i := range scores {
		scores[i], weights[i] = -math.Log((float64(i)+.5)/2000), 1
	}
	var runs []*baseline.TrainingRun
	for n := range 240 {
		r := &baseline.TrainingRun{ID: fmt.Sprint(n), Agent: fmt.Sprint("shop/", n%2), Group: "shop"}
		if n >= 200 {
			r.Agent, r.Group = "", ""
		}
		var f feature.RunMemory
		for i := range 5 + n%9 {
			route := fmt.Sprint("GET /shop/", (i+n)%4)
			c := feature.Input{Route: feature.RouteHash(route), API: apiOf(route), Args: uint64(i), Result: uint64(i), Bytes: 100,
				Resources: []uint64{uint64(i)}}
			r.Features, r.Routes = append(r.Features, f.Add(&c)), append(r.Routes, route)
		}
		runs = append(runs, r)
	}
	runs = append(runs, more...)
	baseline.FillRecentMaxima(runs)
	for _, r := range runs {
		b.Learn(r)
	}
	b.Finish()
	b.Calibration = calibrate.FitScores(scores, weights)
	b.ByClass = &baseline.ByClass{NewPopulation: calibrate.Populations{Groups: map[string]calibrate.Rank{}}}
	for i := range populations {
		b.ByClass.NewPopulation.Groups[fmt.Sprint(i)] = calibrate.NewRank(scores[200:], weights[200:])
	}
	return b
}

// call returns a call to a route by its name, with an argument.
func call(route string, arg int) feature.Input {
	return feature.Input{Route: feature.RouteHash(route), API: apiOf(route), Args: uint64(arg), Result: uint64(arg), Bytes: 100,
		Resources: []uint64{uint64(arg)}}
}

// Callers without a name are learned as one agent. What is known of them must not make every unknown agent a known one.
func TestUnnamedCallersMakeEveryoneKnown(t *testing.T) {
	m := NewModel(acquainted(4))
	c := call("GET /shop/1", 1)
	for who, want := range map[Reference]schema.Acquaintance{
		{}:                                schema.KnownAgent,
		{Agent: "shop/0", Group: "shop"}:  schema.KnownAgent,
		{Agent: "shop/9", Group: "shop"}:  schema.NewAgent,
		{Agent: "~shop/0", Group: "shop"}: schema.NewAgent,
		{Agent: "bank/1", Group: "bank"}:  schema.NewPopulation,
		{Agent: "~bank/1", Group: "bank"}: schema.NewPopulation,
		{Agent: "ann", Group: "humans"}:   schema.NewPopulation,
	} {
		var run RunScore
		run.Add(m, who, &c, 0, schema.ReadOnly)
		if got := run.agent.class; got != want {
			t.Errorf("%+v is a %v, want %v", who, got, want)
		}
		if got := m.Baseline.Acquaintance(who.Agent, who.Group); got != want {
			t.Errorf("the baseline says that %+v is a %v, want %v", who, got, want)
		}
	}
}

// callsToTrip returns the number of calls until the run's level is trip by the share of one in a thousand; 0: never.
func callsToTrip(m *Model, who Reference, calls func(i int) feature.Input) (n int, alert int) {
	var run RunScore
	for i := range 200 {
		c := calls(i)
		run.Add(m, who, &c, int64(i), schema.ReversibilityUnknown)
		levels := run.Levels(.001)
		if levels.For(run.Score) >= schema.LevelAlert && alert == 0 {
			alert = i + 1
		}
		if levels.For(run.Score) == schema.LevelTrip {
			return i + 1, alert
		}
	}
	return 0, alert
}

var (
	loop    = func(route string) func(int) feature.Input { return func(int) feature.Input { return call(route, 1) } }
	retries = func(route string) func(int) feature.Input {
		return func(int) feature.Input {
			c := call(route, 1)
			c.Failed, c.Result = true, feature.FailedResult
			return c
		}
	}
	deletions = func(route string) func(int) feature.Input {
		return func(i int) feature.Input {
			c := call(route, 100+i)
			c.Write, c.Delete = true, true
			return c
		}
	}
	sweep = func(route string) func(int) feature.Input {
		return func(i int) feature.Input { return call(route, 100+i) }
	}
)

// badCalls are the calls of runaways, by the name of the route.
var badCalls = map[string]func(string) func(int) feature.Input{"loop": loop, "retries": retries, "deletions": deletions, "sweep": sweep}

func TestStrangersRunawayTripsLater(t *testing.T) {
	for _, who := range []Reference{{Agent: "bank/1", Group: "bank"}, {Agent: "~bank/1", Group: "bank"}, {Agent: "ann", Group: "humans"}} {
		for name, c := range map[string]struct {
			calls func(int) feature.Input
			most  int
		}{
			"loop": {loop("GET /bank/x"), 9}, "retries": {retries("GET /bank/x"), 5}, "deletions": {deletions("DELETE /bank/x/{}"), 3},
			"sweep": {sweep("GET /bank/x/{}"), 13},
		} {
			if got, _ := callsToTrip(NewModel(acquainted(4)), who, c.calls); got != c.most {
				t.Errorf("%s of %s trips at call %d, not %d", name, who.Agent, got, c.most)
			}
			trip, alert := callsToTrip(NewModel(acquainted(3)), who, c.calls)
			if baseline.IsAsserted(who.Agent) { // a caller must not choose a name that never trips
				if trip != c.most {
					t.Errorf("%s of %s with three populations: trips at %d, not at %d", name, who.Agent, trip, c.most)
				}
			} else if trip != 0 || alert != c.most {
				t.Errorf("%s of %s with three populations: trips at %d, alerts at %d, not at %d", name, who.Agent, trip, alert, c.most)
			}
		}
	}
}

// What a known agent that was taken over gains by calls to an API that nobody has used. Calls in between do not make it
// harder to find than the same calls to an API that is known. When it only calls the unknown API, a loop, retries and
// deletions trip as on its own, and a sweep at the calls of strangers, whether or not new populations are calibrated.
func TestKnownAgentHidesBehindAnUnknownAPI(t *testing.T) {
	who := Reference{Agent: "shop/0", Group: "shop"}
	for name, bad := range badCalls {
		every := func(n int, hidden string) func(int) feature.Input {
			calls := bad("GET /shop/1")
			return func(i int) feature.Input {
				if i%n == n-1 {
					return call(hidden, 1000+i)
				}
				return calls(i)
			}
		}
		for _, populations := range []int{1, 4} {
			m := NewModel(acquainted(populations))
			plain, _ := callsToTrip(m, who, bad("GET /shop/1"))
			away, alert := callsToTrip(m, who, bad("GET /other/1"))
			var found []string
			for _, n := range []int{2, 3, 5} {
				known, _ := callsToTrip(m, who, every(n, "GET /shop/2"))
				hidden, _ := callsToTrip(m, who, every(n, "GET /other/2"))
				found = append(found, fmt.Sprintf("one in %d elsewhere: %d, to an unknown API: %d", n, known, hidden))
				if hidden == 0 && known > 0 || hidden > known+1 {
					t.Errorf("%s, %d populations, one call in %d to an unknown API: trips at %d instead of %d", name, populations, n, hidden, known)
				}
			}
			t.Logf("%s, %d populations: trips at %d; %s; all to an unknown API: trips at %d, alerts at %d", name, populations, plain,
				strings.Join(found, "; "), away, alert)
			if name == "sweep" {
				plain = 13
			}
			if alert == 0 || away != plain {
				t.Errorf("%s, %d populations, all to an unknown API: trips at %d, alerts at %d", name, populations, away, alert)
			}
		}
	}
}

// Evidence of statistics that need acquaintance does not reach any level, for any share that may be set.
func TestEvidenceAloneIsALevel(t *testing.T) {
	if notice := -math.Log(calibrate.NoticeShare); evidenceLimit >= notice {
		t.Errorf("evidence is limited to %v, the level notice begins at %v", evidenceLimit, notice)
	}
	for st := range numStatistics {
		sp := &strangerSpecs[st]
		if got := sp.anchored(1e300); sp.evidence && got != evidenceLimit || !sp.evidence && got != maxScore {
			t.Errorf("%s is limited to %v", st, got)
		}
		if last := 0.; !sp.evidence {
			for x := 0.; x < 100; x += .25 {
				v := sp.anchored(x)
				if v < last || math.IsNaN(v) {
					t.Errorf("%s: the scale falls at %v from %v to %v", st, x, last, v)
				}
				last = v
			}
		}
		if !sp.evidence && (math.Abs(sp.anchored(sp.t1)-2*decade) > 1e-9 || math.Abs(sp.anchored(sp.t01)-3*decade) > 1e-9) {
			t.Errorf("%s: anchors at %v and %v", st, sp.anchored(sp.t1), sp.anchored(sp.t01))
		}
	}
}

// Callers can invent names, groups and APIs: what a model keeps of them is limited.
func TestInventedNamesFillTheMemory(t *testing.T) {
	m := NewModel(acquainted(4))
	for i := range 3 * maxStrangers {
		group := fmt.Sprint("group-", i)
		who := Reference{Agent: "~" + group + "/x", Group: group}
		var run RunScore
		for k := range 3 {
			c := call(fmt.Sprintf("GET /api-%d-%d/x", i, k), k)
			run.Add(m, who, &c, 0, schema.ReadOnly)
		}
		known := call("GET /shop/1", i)
		run.Add(m, Reference{Agent: fmt.Sprint("~shop/", i), Group: "shop"}, &known, 0, schema.ReadOnly)
		if len(m.agents) > len(m.Baseline.Agents)+maxStrangers+1 || len(m.groups) > len(m.Baseline.Groups)+maxStrangers+1 {
			t.Fatalf("%d agents and %d groups are kept", len(m.agents), len(m.groups))
		}
		if a := run.agent; len(a.routes) > 4 {
			t.Fatalf("%d routes are kept", len(a.routes))
		}
	}
}

// The key of a cached entry is not a name that a caller can claim.
func TestNameOfACallerIsTheKeyOfStrangers(t *testing.T) {
	m := NewModel(acquainted(4))
	strange := call("GET /other/1", 1)
	var first RunScore
	first.Add(m, Reference{Agent: "shop/0", Group: "shop"}, &strange, 0, schema.ReadOnly)
	for _, name := range []string{"\x00shop", "\x01shop", "~\x01shop", "\x1fshop"} {
		known := call("GET /shop/1", 1)
		var run RunScore
		run.Add(m, Reference{Agent: name, Group: "shop"}, &known, 0, schema.ReadOnly)
		if got := run.Acquaintance(); got != schema.NewAgent || run.Stranger() {
			t.Errorf("%q is a %v", name, got)
		}
	}
}

// A run's class and thresholds are those of the caller that it has now.
func TestRunKeepsTheClassOfItsEarlierCaller(t *testing.T) {
	m := NewModel(acquainted(4))
	strange, known := call("GET /other/1", 1), call("GET /shop/1", 2)
	var run RunScore
	var classes []schema.Acquaintance
	for _, step := range []struct {
		who Reference
		c   *feature.Input
		m   *Model
	}{{Reference{Agent: "bank/1", Group: "bank"}, &known, m}, {Reference{Agent: "shop/0", Group: "shop"}, &known, m},
		{Reference{Agent: "shop/0", Group: "shop"}, &strange, m}, {Reference{Agent: "shop/9", Group: "shop"}, &known, m},
		{Reference{Agent: "bank/1", Group: "bank"}, &known, nil}} {
		run.Add(step.m, step.who, step.c, 0, schema.ReadOnly)
		classes = append(classes, run.Acquaintance())
	}
	want := []schema.Acquaintance{schema.NewPopulation, schema.KnownAgent, schema.KnownAgent, schema.NewAgent, schema.AcquaintanceUnrecorded}
	if !slices.Equal(classes, want) || run.Stranger() {
		t.Errorf("%v, want %v; stranger is %v", classes, want, run.Stranger())
	}
}

// BenchmarkScoreStranger measures a call of a known agent, of a new population, and to an unknown API.
func BenchmarkScoreStranger(b *testing.B) {
	for _, c := range []struct {
		name, route string
		who         Reference
	}{
		{"known", "GET /shop/1", Reference{Agent: "shop/0", Group: "shop"}},
		{"population", "GET /bank/1", Reference{Agent: "bank/1", Group: "bank"}},
		{"unknown API", "GET /other/1", Reference{Agent: "shop/0", Group: "shop"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			m := NewModel(acquainted(8))
			run := &RunScore{}
			b.ReportAllocs()
			for n := range b.N {
				if n%40 == 0 {
					*run = RunScore{}
				}
				in := call(c.route, n)
				run.Add(m, c.who, &in, int64(n), schema.ReadOnly)
				_ = run.Levels(.001)
			}
		})
	}
}

// manyPopulations returns a baseline of populations of which each has 60 different scores above the threshold.
func manyPopulations(n int) *baseline.Baseline {
	b := acquainted(4)
	groups := map[string]calibrate.Rank{}
	for g := range n {
		scores, weights := make([]float64, 600), make([]float64, 600)
		for i := range scores {
			scores[i], weights[i] = 1, 1
			if i < 60 {
				scores[i] = 3 + 7*float64(i*n+g)/float64(60*n)
			}
		}
		groups[fmt.Sprint(g)] = calibrate.NewRank(scores, weights)
	}
	b.ByClass.NewPopulation.Groups = groups
	return b
}

// BenchmarkLevelsOfPopulations measures the thresholds of new populations, which are computed once for each model.
func BenchmarkLevelsOfPopulations(b *testing.B) {
	for _, n := range []int{4, 20, 200} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			body := manyPopulations(n)
			for b.Loop() {
				_ = body.Thresholds().Levels(schema.NewPopulation, "x", .001)
			}
		})
	}
}

// Callers invent names: what a new one costs must not grow with the number of groups of the baseline.
func TestEachStrangerCostsAPassOverAllGroups(t *testing.T) {
	const groups = 4000
	body := acquainted(4)
	for g := range groups {
		for _, of := range []*baseline.Amount{&body.Lengths, &body.Bytes, &body.Writes, &body.Tokens, &body.Money} {
			of.Groups[fmt.Sprint("more", g)] = baseline.Moments{N: 20, Sum: 40, Sum2: 100}
		}
	}
	m := NewModel(body)
	first := func(n int) {
		in, run := call("GET /bank/1", 0), RunScore{}
		run.Add(m, Reference{Agent: fmt.Sprint("new/", n), Group: fmt.Sprint("new", n)}, &in, 0, schema.ReadOnly)
		if !run.Stranger() {
			t.Fatal("not a stranger")
		}
	}
	first(0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const strangers = 20
	for n := range strangers {
		first(n + 1)
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / strangers; each > 5*16*groups/2 { // a name has 16 bytes in a list
		t.Errorf("%d bytes are allocated for a stranger", each)
	}
}

// The sizes and counts of callers without a name are not those of unknown agents.
func TestUnknownAgentIsComparedWithUnnamedCallers(t *testing.T) {
	body := acquainted(4)
	without := acquainted(4)
	for _, of := range []*baseline.Amount{&without.Lengths, &without.Bytes, &without.Writes} {
		delete(of.Agents, "")
	}
	for _, of := range []*baseline.RunCountDistribution{&without.IdenticalCalls, &without.Distinct, &without.Switches} {
		for _, within := range of.Within {
			delete(within, "")
		}
	}
	delete(without.Sequence.Agents, "")
	for _, who := range []Reference{{Agent: "shop/9", Group: "shop"}, {Agent: "bank/1", Group: "bank"}, {Agent: "~x", Group: ""}} {
		var a, b RunScore
		for i := range 30 {
			c := call("GET /shop/1", i)
			a.Add(NewModel(body), who, &c, 0, schema.ReadOnly)
			b.Add(NewModel(without), who, &c, 0, schema.ReadOnly)
			if a.Score != b.Score || a.tails != b.tails || a.scatter != b.scatter {
				t.Fatalf("%+v, call %d: score %v, without unnamed callers %v", who, i+1, a.Score, b.Score)
			}
		}
	}
}

// A statistic that raised a family at a call to an unknown API leads the evidence also after a call to a known one, where
// its scale is another.
func TestEvidenceIsEmptyAfterACallToAKnownAPI(t *testing.T) {
	m := NewModel(acquainted(4))
	for name, calls := range map[string]func(int) feature.Input{"loop": loop("GET /other/1"), "deletions": deletions("DELETE /other/1"),
		"sweep": sweep("GET /other/1"), "retries": retries("GET /other/1")} {
		var run RunScore
		who := Reference{Agent: "shop/0", Group: "shop"}
		for i := range 20 {
			c := calls(i)
			run.Add(m, who, &c, int64(i), schema.ReadOnly)
		}
		f := run.TopFamily()
		before := run.Explain(f, 0)
		known := call("GET /shop/1", 77)
		run.Add(m, who, &known, 20, schema.ReadOnly)
		after := run.Explain(f, known.Route)
		if len(before) == 0 || len(after) == 0 || after[0].Feature != before[0].Feature || after[0].Score != figure(run.Families[f]) {
			t.Errorf("%s: %+v, before the call to a known API %+v", name, after, before)
		}
	}
}

// A known agent begins to use a new API and goes on with the ones that are known. What needs acquaintance and was counted at
// the new API must not be judged at the next call to a known one.
func TestNewAPIOfAKnownAgentIsJudgedAtTheNextKnownCall(t *testing.T) {
	for _, populations := range []int{1, 4} {
		m := NewModel(acquainted(populations))
		who := Reference{Agent: "shop/0", Group: "shop"}
		var run RunScore
		add := func(c feature.Input) {
			run.Add(m, who, &c, 0, schema.ReadOnly)
			if levels := run.Levels(.001); levels.For(run.Score) >= schema.LevelAlert {
				t.Fatalf("%d populations, call %d: score %v of %s", populations, run.Calls(), run.Score, run.leading[run.TopFamily()])
			}
		}
		for i := range 5 {
			add(call("GET /other/{}", 500+i))
			if i%3 == 2 {
				add(call("GET /shop/1", i))
			}
		}
		for i := range 3 {
			c := call(fmt.Sprint("POST /other/", i), 600+i)
			c.Write, c.Failed = true, i%2 == 0
			add(c)
		}
		add(call("GET /shop/2", 1))
		write := call("POST /shop/1", 3)
		write.Write = true
		add(write)
	}
}

// A known agent does the bad calls at an unknown API and harmless ones at a known API in between. It is found as a stranger
// is who does the same, though a loop much later than one without other calls.
func TestKnownAgentHidesBetweenHarmlessCalls(t *testing.T) {
	for name, bad := range badCalls {
		calls := bad("GET /other/1")
		mixed := func(harmless string) func(int) feature.Input {
			return func(i int) feature.Input {
				if i%4 == 3 {
					return call(fmt.Sprint("GET ", harmless, i%3), i)
				}
				return calls(i)
			}
		}
		stranger, _ := callsToTrip(NewModel(acquainted(4)), Reference{Agent: "bank/1", Group: "bank"}, mixed("/bank/"))
		for _, populations := range []int{1, 4} {
			trip, alert := callsToTrip(NewModel(acquainted(populations)), Reference{Agent: "shop/0", Group: "shop"}, mixed("/shop/"))
			t.Logf("%s, %d populations: trips at %d, alerts at %d; a stranger at %d", name, populations, trip, alert, stranger)
			if trip == 0 || trip > stranger+5 {
				t.Errorf("%s, %d populations: trips at %d, a stranger at %d", name, populations, trip, stranger)
			}
		}
	}
}

func TestBaselineWithoutRunsTripsWhoeverClaimsAName(t *testing.T) {
	b := baseline.New("t")
	b.ByClass = &baseline.ByClass{}
	b.Finish()
	for _, agent := range []string{"bank/1", "~bank/1", ""} {
		if trip, alert := callsToTrip(NewModel(b), Reference{Agent: agent, Group: "bank"}, loop("GET /bank/x")); trip != 0 || alert != 0 {
			t.Errorf("%q: alert at call %d, trip at call %d, though nothing was learned", agent, alert, trip)
		}
	}
}
