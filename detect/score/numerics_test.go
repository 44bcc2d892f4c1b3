package score

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/schema"
)

// Made by testdata/tails.py with 60 digits.
//
//go:embed testdata/tails.json
var tailsJSON []byte

// SciPy itself loses digits where the tail is close to 1, and a survival
// function that subtracts from 1 is 0 from 8.3 on.
func TestTailOfTheNormalFromNextToCertainToNextToImpossible(t *testing.T) {
	var values [][2]float64
	if err := json.Unmarshal(tailsJSON, &values); err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		tolerance := 1e-12
		if v[0] >= 30 {
			tolerance = 1e-13 // relative, for results in the hundreds: the series is short
		}
		if got := minusLogTail(v[0]); math.Abs(got-v[1]) > tolerance*v[1] {
			t.Errorf("−ln P(Z > %v) is %v, the reference has %v", v[0], got, v[1])
		}
	}
	last := 0.0
	for z := -45.0; z < 45; z += .001 {
		got := minusLogTail(z)
		if !(got >= last) {
			t.Fatalf("the tail grows at %v: %v after %v", z, got, last)
		}
		last = got
	}
	if minusLogTail(math.NaN()) != 0 || minusLogTail(math.Inf(-1)) != 0 || !math.IsInf(minusLogTail(math.Inf(1)), 1) {
		t.Error("of no number")
	}
}

// The log-likelihood ratio of one trial: under the usual rate, the mean of e^increment is 1.
func TestStepIsALikelihoodRatio(t *testing.T) {
	for st := range numCusums {
		p1 := specs[st].p1
		for _, p := range []float64{1e-300, .002, .005, .01, .1, .2, .3, .6, .8} {
			hit, miss := increment(p, p1, true), increment(p, p1, false)
			if math.IsNaN(hit) || math.IsInf(hit, 0) || math.IsNaN(miss) || math.IsInf(miss, 0) {
				t.Fatalf("%s at %g: %v and %v", st, p, hit, miss)
			}
			if mean := p*math.Exp(hit) + (1-p)*math.Exp(miss); 1.5*p <= p1 && math.Abs(mean-1) > 1e-12 {
				t.Errorf("%s at %g: %v on average", st, p, mean)
			}
			if hit < 0 || miss > 0 {
				t.Errorf("%s at %g: a hit says %v, a miss %v", st, p, hit, miss)
			}
		}
	}
}

func TestScaleIsContinuousAndGrows(t *testing.T) {
	for st := range numStatistics {
		sp := specs[st]
		for x, want := range map[float64]float64{0: 0, sp.t1: 2 * decade, sp.t01: 3 * decade, 2*sp.t01 - sp.t1: 4 * decade} {
			if got := sp.anchored(x); math.Abs(got-want) > 1e-12 {
				t.Errorf("%s at %g: %v, want %v", st, x, got, want)
			}
		}
		if sp.t10 > 0 && math.Abs(sp.anchored(sp.t10)-decade) > 1e-12 {
			t.Errorf("%s at %g: %v", st, sp.t10, sp.anchored(sp.t10))
		}
		last := math.Inf(-1)
		for _, x := range []float64{-1, 0, 1e-300, 1, math.Nextafter(sp.t10, 0), sp.t10, math.Nextafter(sp.t1, 0), sp.t1, sp.t01, 1e6, 1e12,
			1e300, math.Inf(1)} {
			if x < sp.t10 && x > 1 && sp.t10 == 0 {
				continue
			}
			got := sp.anchored(x)
			if math.IsNaN(got) || got > maxScore {
				t.Errorf("%s at %g: %v", st, x, got)
			}
			if x >= last && got < sp.anchored(last) && !math.IsInf(last, -1) {
				t.Errorf("%s falls from %g to %g", st, last, x)
			}
			last = x
		}
	}
}

func TestCountsOfNothingAndOfEverythingHaveTails(t *testing.T) {
	var none *countTails
	if none.at(7) != 0 {
		t.Error("a count of which nothing is known")
	}
	var f baseline.RunCountDistribution
	f.Groups, f.Within = map[string]baseline.RunCounts{}, map[string]map[string]baseline.RunCounts{}
	for n := range uint64(40) {
		f.Add("g", "a", n%7)
	}
	of, last := newCountTails(&f, "g", "a"), 0.0
	for _, n := range []uint64{0, 1, 2, 6, 7, 255, 256, 1022, 1023, 1024, 1025, 1e6, 1 << 40, math.MaxUint64} {
		got := of.at(n)
		if !(got >= last) || math.IsInf(got, 0) {
			t.Errorf("−ln P(N ≥ %d) is %v, before it %v", n, got, last)
		}
		last = got
	}
	if step := of.at(maxTails) - of.at(maxTails-1); !(step > 0 && step < .01) {
		t.Errorf("between what is made and what is assumed: %v", step)
	}
}

func TestRarenessIsOfTheShareOfRuns(t *testing.T) {
	for _, v := range [][2]float64{{0, 0}, {0, 1}, {1, 1}, {3, 1000}, {0, 1e15}, {1e15, 1e15}} {
		b := baseline.New("t")
		b.Lengths.Groups["g"] = baseline.Moments{N: v[1]}
		b.Routes["g"] = map[string]baseline.Counts{"R": {}}
		b.PerRoute.Groups["g"] = map[string]baseline.Moments{"R": {N: v[0]}}
		m := NewModel(b)
		of := m.agent("", "g")
		for route, used := range map[uint64]float64{feature.RouteHash("R"): v[0], feature.RouteHash("another"): 0} {
			got, want := m.rareness(of, route, 0), math.Log((v[1]+1)/(used+.3))
			if math.Abs(got-want) > 1e-15+1e-12*want || !(got > 0) {
				t.Errorf("%g of %g runs: %v, want %v", used, v[1], got, want)
			}
			if b.KnownResources.IsNew("g", 5) {
				t.Error("of a group that never named any")
			}
		}
	}
}

// 2 % of calls may follow any route: this limits the evidence of a call for the usual
// order, and a pair of routes that was never seen has a limited weight too.
func TestOrderOfRoutesIsBoundedEitherWay(t *testing.T) {
	b := baseline.New("t")
	for i := range 300 {
		run := &baseline.TrainingRun{ID: fmt.Sprint(i), Agent: "g/a", Group: "g"}
		var f feature.RunMemory
		for n := range 1000 {
			name := []string{"A", "B"}[n%2]
			c := feature.Input{Route: feature.RouteHash(name), Args: uint64(n)}
			run.Features, run.Routes = append(run.Features, f.Add(&c)), append(run.Routes, name)
		}
		b.Learn(run)
	}
	b.Finish()
	m := NewModel(b)
	for _, who := range [][2]string{{"g/a", "g"}, {"new", "g"}, {"new", "new"}} {
		of := m.agent(who[0], who[1])
		for _, before := range []uint64{0, feature.RouteHash("A"), 5} {
			for _, route := range []uint64{feature.RouteHash("A"), feature.RouteHash("B"), 5} {
				first := ""
				if before != 0 {
					first = of.peers.name(before)
				}
				next, share := b.Sequence.Next(of.key, of.group, first, of.peers.name(route))
				want := math.Log(.02 + .98*share/next)
				if next < share {
					want = math.Log(.02 + .98*max(share, 1e-4)/max(next, 1e-6))
				}
				got := m.follows(of, m.route(of, route), before, route)
				if got != want || got < math.Log(.02) || got > math.Log(.02+.98/1e-6) {
					t.Errorf("%v: %d after %d says %v, want %v", who, route, before, got, want)
				}
			}
		}
	}
}

// The mean of ½·p^−½ over a uniform p is 1; the sum over an actor's runs contains each
// run once, independent of its number of calls.
func TestEvidenceIsAnEValueAndEachRunCountsOnce(t *testing.T) {
	const n = 1_000_000
	mean := 0.0
	for i := range n {
		mean += .5 / math.Sqrt((float64(i)+.5)/n) / n
	}
	if math.Abs(mean-1) > 1e-3 {
		t.Errorf("%v on average", mean)
	}
	fit := calibrate.Fit{Runs: 100, U: 1, Beta: .05, PU: .03, T5: 1, T1: 1, Scores: []float64{0, 1}, At: []float64{1, .03}}
	m := NewModel(&baseline.Baseline{Calibration: fit})
	for score, want := range map[float64]float64{0: math.Log(.5), 1: math.Log(.5 / math.Sqrt(.03)), 1e9: maxEvidence,
		math.NaN(): math.Log(.5)} {
		if got := evidence(m, score); math.Abs(got-want) > 1e-12*math.Abs(want) {
			t.Errorf("a score of %g says %v, want %v", score, got, want)
		}
	}
	var a ActorScore
	sum := 0.0
	for _, run := range [][]float64{{-.7, -.7, 1, 3, 3.5}, {-.7}, {-.7, 2}, {-.7, -.7, -.7}} {
		var r RunScore
		for _, e := range run {
			a.addEvidence(&r, e)
		}
		sum = max(0, sum+run[len(run)-1])
		if math.Abs(a.evidence-sum) > 1e-12 {
			t.Errorf("after %v: %v, want %v", run, a.evidence, sum)
		}
	}
}

// A very long run of an actor whose calls are similar.
func TestRunOfAMillionCallsScoresANumber(t *testing.T) {
	ref := load(t)
	m := NewModel(ref.body())
	var run RunScore
	var actor ActorScore
	c := ref.Train[0].Calls[0].feature()
	c.Bytes = math.MaxUint64
	last := 0.0
	for n := range 1_000_000 {
		c.Args = uint64(n) * uint64(n%2) // every second call repeats the first
		c.Resources = append(c.Resources[:0], c.Args)
		s := run.Add(m, Reference{Agent: "billing/a0", Group: "billing"}, &c, int64(n), schema.Irreversible)
		actor.Add(&run, &s)
		if !(run.Score >= last && run.Score < maxScore) || !(actor.Score >= 0 && actor.Score <= maxScore) {
			t.Fatalf("call %d: score %v after %v, of the actor %v", n+1, run.Score, last, actor.Score)
		}
		last = run.Score
	}
	if run.Calls() != 1_000_000 || run.Touched.Irreversible != 1_000_000 {
		t.Errorf("%d calls, %+v", run.Calls(), run.Touched)
	}
}

// Callers can invent names: a model caches a limited number of them.
func TestInventedNamesFillNoModel(t *testing.T) {
	ref := load(t)
	m := NewModel(ref.body())
	c := ref.Train[0].Calls[0].feature()
	for i := range 3 * maxStrangers {
		var run RunScore
		c.Route = uint64(i)
		run.Add(m, Reference{Agent: fmt.Sprint("~", i), Group: fmt.Sprint("g", i%(2*maxStrangers))}, &c, 0, schema.ReadOnly)
		if alert := -math.Log(.01); run.Score >= alert {
			t.Fatalf("one call of a stranger scores %v", run.Score)
		}
	}
	if most := maxStrangers + len(m.Baseline.Agents) + 1; len(m.agents) > most || len(m.groups) > most {
		t.Errorf("%d agents and %d groups, at most %d", len(m.agents), len(m.groups), most)
	}
}
