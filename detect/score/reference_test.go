package score

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/schema"
	"flyball/schema/wire"
)

// Made by testdata/reference.py with numpy and scipy, independently of this package.
//
//go:embed testdata/reference.json
var referenceJSON []byte

type referenceCall struct {
	Route, Args, Result   uint64
	API                   uint64 // 1 + a route of the API; 0: not stated
	Bytes                 uint64
	Failed, Write, Delete bool
	Resources             []uint64
}

type referenceRun struct {
	ID, Group, Agent string
	Calls            []referenceCall
}

type reference struct {
	Train, Test []referenceRun
	Statistics  []string
	Scores      [][][]float64 // by run and call: the statistics and the score
	Across      [][]float64   // by call of all test runs: the four counts and the score
	Tail        [][2]float64
	Calibration struct {
		Scores, Weights, At, P    []float64
		T5, T1, U, Beta, PU, Trip float64
	}
	Wilson  [][4]float64
	ByClass struct { // of a baseline that holds also the runs of Train
		Train, Test []referenceRun
		Scores      [][][]float64 // as above, and whether the call was scored as a stranger's
	} `json:"by_class"`
}

func load(t testing.TB) (r reference) {
	t.Helper()
	if err := json.Unmarshal(referenceJSON, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func routeName(n uint64) string { return fmt.Sprint("R ", n) }

func (c *referenceCall) feature() feature.Input {
	f := feature.Input{
		Route:     feature.RouteHash(routeName(c.Route)),
		Args:      c.Args,
		Result:    c.Result,
		Failed:    c.Failed,
		Write:     c.Write,
		Delete:    c.Delete,
		Resources: c.Resources,
		Bytes:     c.Bytes,
	}
	if c.Failed {
		f.Result = feature.FailedResult
	}
	if c.API > 0 {
		f.API = c.API
	}
	return f
}

func (r *referenceRun) learned() *baseline.TrainingRun {
	out := &baseline.TrainingRun{ID: r.ID, Agent: r.Agent, Group: r.Group}
	var f feature.RunMemory
	for i := range r.Calls {
		c := r.Calls[i].feature()
		out.Features = append(out.Features, f.Add(&c))
		out.Routes = append(out.Routes, routeName(r.Calls[i].Route))
	}
	out.Resources = f.Resources()
	return out
}

func (r *reference) body() *baseline.Baseline { return learnReference(r.Train) }

// apiOf returns the API of a route by its name.
func apiOf(route string) uint64 {
	var in feature.Input
	method, path, _ := strings.Cut(route, " ")
	feature.Extract(&schema.Call{Method: method, RouteKey: path}, &in)
	return in.API
}

// byClass returns the baseline of all of the reference's training runs, which scores strangers apart.
func (r *reference) byClass() *baseline.Baseline {
	b := learnReference(append(slices.Clone(r.Train), r.ByClass.Train...))
	b.ByClass = &baseline.ByClass{}
	return b
}

func learnReference(of []referenceRun) *baseline.Baseline {
	b := baseline.New("t")
	var runs []*baseline.TrainingRun
	for i := range of {
		runs = append(runs, of[i].learned())
	}
	baseline.FillRecentMaxima(runs)
	for _, run := range runs {
		b.Learn(run)
	}
	b.Finish()
	return b
}

// near reports whether two numbers are equal within a relative error of 1e-9, because the order of sums differs.
func near(a, b float64) bool { return a == b || math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b), 1) }

// Tests features, rates, amounts, CUSUMs and anchors together: every statistic of every
// call of seven runs, of which four are runaways.
func TestEveryStatisticOfEveryCallAgreesWithReference(t *testing.T) {
	ref := load(t)
	body := ref.body()
	compared := 0
	for i := range ref.Test {
		r := &ref.Test[i]
		m := NewModel(body)
		var run RunScore
		for n := range r.Calls {
			c := r.Calls[n].feature()
			run.Add(m, Reference{Agent: r.Agent, Group: r.Group}, &c, int64(n), schema.ReversibilityUnknown)
			want := ref.Scores[i][n]
			for st := range statIrreversible { // the calls of the reference have no usage
				if ref.Statistics[st] != st.String() {
					t.Fatalf("statistic %d is %s here and %s there", st, st, ref.Statistics[st])
				}
				if got := run.value(st); !near(got, want[st]) {
					t.Fatalf("run %s call %d: %s is %v, the reference has %v", r.ID, n+1, st, got, want[st])
				}
				compared++
			}
			if got, want := run.Score, want[statIrreversible]; !near(got, want) {
				t.Fatalf("run %s call %d: score %v, the reference has %v", r.ID, n+1, got, want)
			}
		}
	}
	t.Logf("%d values", compared)
}

// Tests the counts over the latest calls of an actor, across runs of which several are runaways.
func TestActorAgreesWithReferenceAcrossRuns(t *testing.T) {
	ref := load(t)
	m := NewModel(ref.body())
	var actor ActorScore
	n := 0
	for i := range ref.Test {
		var run RunScore
		for k := range ref.Test[i].Calls {
			c := ref.Test[i].Calls[k].feature()
			s := run.Add(m, Reference{Agent: "billing/a0", Group: "billing"}, &c, int64(k), schema.ReversibilityUnknown)
			actor.Add(&run, &s)
			actor.evidence = 0 // needs calibrated scores, which the reference does not have
			of, now := run.agent, actor.now
			got := []float64{
				of.across.identical.at(now.Identical),
				m.newOnRoute(of, s.Route).across.at(now.NewOnRoute),
				of.across.deletions.at(now.Deletions),
				of.across.retries.at(now.Retries),
			}
			highest := 0.0
			for st, x := range got {
				highest = max(highest, 3*decade*x/actorSpecs[st].at)
			}
			for j, x := range append(got, highest) {
				if !near(x, ref.Across[n][j]) {
					t.Fatalf("call %d of run %s: value %d is %v, the reference has %v", k+1, ref.Test[i].ID, j, x, ref.Across[n][j])
				}
			}
			n++
		}
	}
	if n != len(ref.Across) {
		t.Fatalf("%d calls, the reference has %d", n, len(ref.Across))
	}
}

func TestTailOfTheNormalFarOut(t *testing.T) {
	for _, v := range load(t).Tail {
		if got := minusLogTail(v[0]); math.Abs(got-v[1]) > 1e-9*math.Abs(v[1]) {
			t.Errorf("−ln P(Z > %v) is %v, SciPy has %v", v[0], got, v[1])
		}
	}
}

func TestCalibrationAgreesWithReference(t *testing.T) {
	c := load(t).Calibration
	f := calibrate.FitScores(c.Scores, c.Weights)
	for name, v := range map[string][2]float64{"t5": {f.T5, c.T5}, "t1": {f.T1, c.T1}, "u": {f.U, c.U}, "beta": {f.Beta, c.Beta}, "pu": {f.PU,
		c.PU}, "trip": {f.Threshold(.001), max(c.Trip, math.Log(1000))}} {
		if !near(v[0], v[1]) {
			t.Errorf("%s is %v, the reference has %v", name, v[0], v[1])
		}
	}
	for i, s := range c.At {
		if p, _ := f.P(s); math.Abs(p-c.P[i]) > 2/f.Runs { // the empirical tail is thinned
			t.Errorf("P(S ≥ %v) is %v, the reference has %v", s, p, c.P[i])
		}
	}
}

func TestIntervalIsWilsons(t *testing.T) {
	for _, w := range load(t).Wilson {
		low, high := calibrate.Wilson(w[0], w[1])
		if math.Abs(low-w[2]) > 1e-9 || math.Abs(high-w[3]) > 1e-9 {
			t.Errorf("%v of %v: [%v, %v], the reference has [%v, %v]", w[0], w[1], low, high, w[2], w[3])
		}
	}
}

// Encoding and decoding a run after any call does not change its further scores.
func TestRunGoesOnAfterCheckpointAtAnyCall(t *testing.T) {
	ref := load(t)
	body := ref.body()
	for i := range ref.Test {
		r := &ref.Test[i]
		m := NewModel(body)
		run := new(RunScore)
		for n := range r.Calls {
			c := r.Calls[n].feature()
			run.Add(m, Reference{Agent: r.Agent, Group: r.Group}, &c, int64(n), schema.Irreversible)
			w := wire.NewWriter(nil, 'x', 5)
			run.Code(w)
			again := new(RunScore)
			rd, err := wire.NewReader(w.Bytes(), 'x', 5)
			if err != nil {
				t.Fatal(err)
			}
			again.Code(rd)
			if rd.Rest() != 0 {
				t.Fatalf("%d bytes are left", rd.Rest())
			}
			if again.Score != run.Score || again.Families != run.Families || again.Touched != run.Touched || again.trials != run.trials ||
				again.cusum != run.cusum {
				t.Fatalf("run %s differs after call %d", r.ID, n+1)
			}
			run = again
			if want := ref.Scores[i][n][statIrreversible]; !near(run.Score, want) {
				t.Fatalf("run %s call %d: score %v, want %v", r.ID, n+1, run.Score, want)
			}
		}
	}
}

func TestScoreOnlyGrows(t *testing.T) {
	ref := load(t)
	m := NewModel(ref.body())
	for i := range ref.Train {
		var run RunScore
		last := 0.0
		for n := range ref.Train[i].Calls {
			c := ref.Train[i].Calls[n].feature()
			run.Add(m, Reference{Agent: "a", Group: "billing"}, &c, 0, schema.ReadOnly)
			if run.Score < last || math.IsNaN(run.Score) {
				t.Fatalf("run %s: the score fell from %v to %v", ref.Train[i].ID, last, run.Score)
			}
			last = run.Score
		}
	}
}

func TestFirstDeleteNeverFiresAlone(t *testing.T) {
	ref := load(t)
	m := NewModel(ref.body())
	var run RunScore
	c := feature.Input{Route: 99, Args: 1, Write: true, Delete: true, Resources: []uint64{7}}
	run.Add(m, Reference{Agent: "stranger", Group: "nobody"}, &c, 0, schema.Irreversible)
	if alert := -math.Log(.01); run.Score >= alert {
		t.Fatalf("one delete scores %v, an alert begins at %v", run.Score, alert)
	}
}

func BenchmarkScoreCall(b *testing.B) {
	for _, actors := range []int{1, 10_000} {
		b.Run(fmt.Sprint(actors, " actors"), func(b *testing.B) { scoreCalls(b, actors) })
	}
}

// scoreCalls scores calls of actors in turn, each in runs of forty calls, for the run and for
// the actor.
func scoreCalls(b *testing.B, actors int) {
	ref := load(b)
	m := NewModel(ref.body())
	var calls []feature.Input
	for i := range ref.Train[:40] {
		for n := range ref.Train[i].Calls {
			calls = append(calls, ref.Train[i].Calls[n].feature())
		}
	}
	of := make([]struct {
		run   *RunScore
		actor ActorScore
		n     int
	}, actors)
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		a := &of[n%actors]
		if a.n%40 == 0 {
			a.run = &RunScore{}
		}
		who := &ref.Train[n%actors%14] // all agents of both groups
		s := a.run.Add(m, Reference{Agent: who.Agent, Group: who.Group}, &calls[(n%actors*7+a.n)%len(calls)], int64(n), schema.ReadOnly)
		a.actor.Add(a.run, &s)
		a.run.NoteEvidence(schema.CallRef{Offset: int64(n)})
		a.n++
	}
}

// Measures the cost of a call in a run of a million calls.
func BenchmarkScoreCallOfLongRun(b *testing.B) {
	ref := load(b)
	m := NewModel(ref.body())
	var run RunScore
	var c feature.Input
	add := func(n int) {
		c = feature.Input{Route: uint64(n % 300), Args: uint64(n), Result: uint64(n), Resources: append(c.Resources[:0], uint64(n))}
		run.Add(m, Reference{Agent: "billing/a0", Group: "billing"}, &c, int64(n), schema.ReadOnly)
	}
	for n := range 1_000_000 {
		add(n)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		add(1_000_000 + n)
	}
}
