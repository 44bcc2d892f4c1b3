package baseline

import (
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"math"
	"testing"

	"github.com/bits-and-blooms/bloom/v3"

	"flyball/detect/feature"
)

// Made by testdata/numerics.py with 60 digits and SciPy.
//
//go:embed testdata/numerics.json
var numericsJSON []byte

type numerics struct {
	Posterior [][5]float64
	Levels    []Counts
	Rates     [][7]float64
	Samples   [][]float64
	Amounts   [][5]float64
	Sums      [][7]float64
	Finals    []RunCounts
	TailsAt   []int `json:"tails_at"`
	Survivals []survival
	Power     [][3]float64
	Runs      []madeRun
	Order     []judgedOrder
	Routes    []judgedRoute
	Filters   [][2]float64
}

type survival struct {
	Levels [3]int
	Tails  []float64
}

func (s *survival) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&s.Levels[0], &s.Levels[1], &s.Levels[2], &s.Tails})
}

type madeRun struct {
	Agent, Group string
	Routes       []string
}

func (r *madeRun) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&r.Agent, &r.Group, &r.Routes})
}

type judgedOrder struct {
	Agent, Group, Before, Route string
	Next, Share                 float64
}

func (o *judgedOrder) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&o.Agent, &o.Group, &o.Before, &o.Route, &o.Next, &o.Share})
}

type judgedRoute struct {
	Agent, Group, Route string
	LogNormal
}

func (r *judgedRoute) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&r.Agent, &r.Group, &r.Route, &r.Mean, &r.SD})
}

func reference(t *testing.T) (n numerics) {
	t.Helper()
	if err := json.Unmarshal(numericsJSON, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// near reports whether two numbers are equal within a relative error, or an absolute one for numbers below 1.
func near(got, want, tolerance float64) bool {
	return got == want || math.Abs(got-want) <= tolerance*max(1, math.Abs(want))
}

// close reports whether two numbers are equal within a relative error, also for very small numbers.
func close(got, want, tolerance float64) bool {
	return got == want || math.Abs(got-want) <= tolerance*math.Abs(want)
}

func TestPosteriorMeanAgreesFromNothingTo1e300Calls(t *testing.T) {
	for _, v := range reference(t).Posterior {
		if got := (Count{v[0], v[1]}).towards(v[2], v[3]); !close(got, v[4], 1e-14) {
			t.Errorf("%g of %g towards %g with weight %g is %v, the reference has %v", v[0], v[1], v[2], v[3], got, v[4])
		}
	}
}

// Rates of 10^15 hits in 10^15 calls and of no calls: odds of a nearly
// certain event lose digits, and the limits of the rate hide the loss.
func TestRateAgreesWhateverTheCounts(t *testing.T) {
	n := reference(t)
	worst := 0.0
	for _, v := range n.Rates {
		var agent *Counts
		if v[5] >= 0 {
			agent = &n.Levels[int(v[5])]
		}
		got := Rate(feature.Event(v[0]), feature.Cell(v[1]), &n.Levels[int(v[2])], &n.Levels[int(v[3])], &n.Levels[int(v[4])], agent)
		worst = max(worst, math.Abs(got-v[6])/v[6])
		if !close(got, v[6], 1e-9) {
			t.Errorf("levels %v: %v, the reference has %v", v[:6], got, v[6])
		}
	}
	t.Logf("%d rates, the largest relative error %.1e", len(n.Rates), worst)
}

func TestRateOfCountsBeyondWhatAFloatHoldsIsARate(t *testing.T) {
	for _, hits := range []float64{0, 1, 1e16, 1e100, 1e300} {
		var c Counts
		for i := range c {
			c[i] = Count{hits, max(hits, 1e300)}
			if hits > 1 {
				c[i].Calls = hits
			}
		}
		for e := range feature.NumEvents {
			cell, _ := e.CellRange()
			k := shrinkages[e]
			for _, own := range []*Counts{nil, {}, &c} {
				if p := Rate(e, cell, &c, &c, &c, own); !(p >= k.floor && p <= k.ceiling) {
					t.Errorf("event %d, %g hits of %g: rate %v", e, hits, c[0].Calls, p)
				}
			}
		}
	}
}

func TestAmountAgreesFromNoRunToRunsOf1e300(t *testing.T) {
	n := reference(t)
	for _, v := range n.Amounts {
		a := Amount{Groups: map[string]Moments{}, Agents: map[string]Moments{}}
		for i, sample := range []int{int(v[0]), int(v[1]), int(v[2])} {
			who := [][2]string{{"h/c", "h"}, {"g/b", "g"}, {"g/a", "g"}}[i]
			for _, x := range n.Samples[sample] {
				a.Add(who[0], who[1], x)
			}
		}
		if got := a.ForAgent("g/a", "g", 0); !near(got.Mean, v[3], 1e-11) || !close(got.SD, v[4], 1e-9) {
			t.Errorf("samples %v: mean %v and deviation %v, the reference has %v and %v", v[:3], got.Mean, got.SD, v[3], v[4])
		}
	}
	for _, v := range n.Sums {
		m := Moments{N: v[0], Sum: v[0] * v[1], Sum2: v[0] * v[1] * v[1]}
		mean, variance := m.shrunk(v[2], v[3], v[4])
		// Sums of 10^17 over 10^15 runs have a rounding error of about ten.
		if !near(mean, v[5], 1e-14) || math.Abs(variance-v[6]) > 1e-12*max(1, v[6]) {
			t.Errorf("sums %v: mean %v and variance %v, the reference has %v and %v", v[:5], mean, variance, v[5], v[6])
		}
	}
}

func TestAmountOfNoNumberIsAsGoodAsNone(t *testing.T) {
	a := Amount{Groups: map[string]Moments{}, Agents: map[string]Moments{}}
	for _, v := range []float64{math.NaN(), math.Inf(-1), -1, 0, 1e-300, math.Inf(1)} {
		a.Add("a", "g", v)
	}
	if l := a.ForAgent("a", "g", .35); math.IsNaN(l.Mean) || math.IsInf(l.Mean, 0) || !(l.SD >= .35) || math.IsInf(l.SD, 0) {
		t.Errorf("%+v", l)
	}
}

func TestCountsOnRoutesAgree(t *testing.T) {
	n := reference(t)
	b := n.body()
	for _, v := range n.Routes {
		if got := b.PerRoute.ForAgent(v.Agent, v.Group, v.Route); !near(got.Mean, v.Mean, 1e-12) || !near(got.SD, v.SD, 1e-12) {
			t.Errorf("%s of %s on %s: %+v, the reference has %+v", v.Agent, v.Group, v.Route, got, v.LogNormal)
		}
	}
}

func (n *numerics) body() *Baseline {
	b := New("t")
	for _, r := range n.Runs {
		on := map[string]float64{}
		for _, route := range r.Routes {
			on[route]++
		}
		b.PerRoute.add(r.Agent, r.Group, on)
		b.Sequence.add(r.Agent, r.Group, r.Routes)
	}
	b.Finish()
	return b
}

func TestNextRouteAgreesAndIsADistribution(t *testing.T) {
	n := reference(t)
	s := n.body().Sequence
	for _, v := range n.Order {
		next, share := s.Next(v.Agent, v.Group, v.Before, v.Route)
		if !close(next, v.Next, 1e-13) || !close(share, v.Share, 1e-13) {
			t.Errorf("%s of %s, %q after %q: %v and %v, the reference has %v and %v", v.Agent, v.Group, v.Route, v.Before, next, share, v.Next,
				v.Share)
		}
	}
	for _, before := range []string{"", "x", "?"} {
		sum, known := 0.0, []string{"x", "y", "z"}
		for i := range vocabulary {
			route := "unseen"
			if i < len(known) {
				route = known[i]
			}
			p, _ := s.Next("g/a", "g", before, route)
			sum += p
		}
		if !near(sum, 1, 1e-12) {
			t.Errorf("after %q, %d routes sum to %v", before, vocabulary, sum)
		}
	}
}

func TestSurvivalAgreesUpToWhatIsCensored(t *testing.T) {
	n := reference(t)
	for _, v := range n.Survivals {
		levels := [3]RunCounts{n.Finals[v.Levels[0]], n.Finals[v.Levels[1]], n.Finals[v.Levels[2]]}
		whole := MinusLogTails(levels, nil, 300)
		var pieces []float64 // extended in steps, as in scoring
		for _, to := range []int{1, 2, 5, 40, 255, 256, 257, 300} {
			pieces = MinusLogTails(levels, pieces, to)
		}
		for i, at := range n.TailsAt {
			if !near(whole[at], v.Tails[i], 1e-12) || !near(pieces[at], v.Tails[i], 1e-12) {
				t.Errorf("finals %v: −ln P(N ≥ %d) is %v, in pieces %v, the reference has %v", v.Levels, at, whole[at], pieces[at], v.Tails[i])
			}
		}
		for i := 1; i < len(whole); i++ {
			if !(whole[i] >= whole[i-1]) {
				t.Fatalf("finals %v: the tail grows at %d", v.Levels, i)
			}
		}
	}
	for _, v := range n.Power {
		if got := ExtrapolateTail(make([]float64, int(v[0])+1), uint64(v[1])); !close(got, v[2], 1e-13) {
			t.Errorf("from %g to %g: %v, the reference has %v", v[0], v[1], got, v[2])
		}
	}
}

// Every run of an agent has a count beyond the last index: these runs are censored, and the tail must not assume that
// they ended there.
func TestRunsBeyondTheLastPlaceAreNotTheEnd(t *testing.T) {
	f := newDistribution()
	for range 200 {
		f.Add("g", "g/a", 1000)
	}
	tails := MinusLogTails(f.Levels("g", "g/a"), nil, 300)
	if at, after := tails[maxReached-1], tails[maxReached]; at > .2 || after-at > .05 {
		t.Errorf("−ln P(N ≥ %d) is %.2f, one more costs %.2f", maxReached-1, at, after-at)
	}
}

func TestFilterTakesNewForKnownAsOftenAsItSays(t *testing.T) {
	key := func(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n*0x9E3779B97F4A7C15) }
	for _, v := range reference(t).Filters {
		f := bloom.New(maxFilterBits, filterHashes)
		for i := range uint64(v[0]) {
			f.Add(key(i))
		}
		const tries = 200_000
		hits := 0.0
		for i := range uint64(tries) {
			if f.Test(key(1e9 + i)) {
				hits++
			}
		}
		// Five standard errors, and 5 % because the hashes are not fully independent.
		if tolerance := 5*math.Sqrt(v[1]/tries) + .05*v[1]; math.Abs(hits/tries-v[1]) > tolerance {
			t.Errorf("%g known: %.5f of new ones are taken for known, the reference has %.5f ± %.5f", v[0], hits/tries, v[1], tolerance)
		}
	}
	k := newKnownResources()
	var many []uint64
	for i := range uint64(6500) {
		many = append(many, i*0x9E3779B97F4A7C15)
	}
	k.add("g", many)
	for _, r := range many {
		if k.IsNew("g", r) {
			t.Fatal("a known resource is new")
		}
	}
}
