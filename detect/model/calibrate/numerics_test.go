package calibrate

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// Made by testdata/numerics.py with SciPy and 60 digits.
//
//go:embed testdata/numerics.json
var numericsJSON []byte

type numerics struct {
	Fits []struct {
		Scores, Weights, At, P, Shares, Thresholds []float64
		T5, T1, U, Beta, PU                        float64
	}
	Wilson [][4]float64
}

func reference(t *testing.T) (n numerics) {
	t.Helper()
	if err := json.Unmarshal(numericsJSON, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// near reports whether two numbers are equal within a relative error of 1e-9.
func near(got, want float64) bool { return got == want || math.Abs(got-want) <= 1e-9*math.Abs(want) }

func TestFitAgreesFromOneRunTo1e15(t *testing.T) {
	for i, v := range reference(t).Fits {
		name := fmt.Sprintf("list %d, %d scores", i, len(v.Scores))
		f := FitScores(v.Scores, v.Weights)
		for what, x := range map[string][2]float64{"t5": {f.T5, v.T5}, "t1": {f.T1, v.T1}, "u": {f.U, v.U}, "beta": {f.Beta, v.Beta},
			"pu": {f.PU, v.PU}} {
			if !near(x[0], x[1]) {
				t.Errorf("%s: %s is %v, the reference has %v", name, what, x[0], x[1])
			}
		}
		for k, s := range v.At {
			if p, _ := f.P(s); !near(p, v.P[k]) {
				t.Errorf("%s: P(S ≥ %v) is %v, the reference has %v", name, s, p, v.P[k])
			}
		}
		for k, share := range v.Shares {
			if got := f.Threshold(share); !near(got, v.Thresholds[k]) {
				t.Errorf("%s: the threshold of %g is %v, the reference has %v", name, share, got, v.Thresholds[k])
			}
		}
	}
}

func TestIntervalIsWilsonsAndStaysWithinOneAndZero(t *testing.T) {
	for _, v := range reference(t).Wilson {
		low, high := Wilson(v[0], v[1])
		if math.Abs(low-v[2]) > 1e-15 && !near(low, v[2]) || !near(high, v[3]) || low < 0 || high > 1 || low > high {
			t.Errorf("%g of %g: [%v, %v], the reference has [%v, %v]", v[0], v[1], low, high, v[2], v[3])
		}
	}
	for _, v := range [][2]float64{{0, 0}, {-1, 5}, {6, 5}, {1, -5}, {math.NaN(), 5}, {1, math.NaN()}, {math.Inf(1), math.Inf(1)}} {
		if low, high := Wilson(v[0], v[1]); !(low >= 0 && low <= high && high <= 1) {
			t.Errorf("%g of %g: [%v, %v]", v[0], v[1], low, high)
		}
	}
}

func TestScoresThatAreNoNumbersAreLeftOut(t *testing.T) {
	want := FitScores([]float64{1, 2, 3}, []float64{1, 1, 1})
	got := FitScores([]float64{math.NaN(), 1, math.Inf(1), 2, math.Inf(-1), 3, 4, 5, 6}, []float64{1, 1, 1, 1, 1, 1, 0, -1, math.NaN()})
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%+v, without them %+v", got, want)
	}
	none := FitScores([]float64{math.NaN()}, []float64{1})
	if p, beyond := none.P(5); p != 1 || beyond || none.Threshold(.01) != math.MaxFloat64 {
		t.Errorf("nothing is known: %v %v %v", p, beyond, none.Threshold(.01))
	}
}

// For any scores and weights, a higher score does not have a higher P, a smaller share does not have a lower
// threshold, and no result is NaN.
func TestTailFallsWhateverTheScores(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for round := range 2000 {
		n := 1 + r.IntN(200)
		if round%100 == 0 {
			n = 5000
		}
		scores, weights := make([]float64, n), make([]float64, n)
		scale := math.Pow(10, float64(r.IntN(12)-4))
		for i := range scores {
			scores[i], weights[i] = r.ExpFloat64()*scale, 1
			if round%3 == 1 {
				scores[i] = float64(r.IntN(4)) * scale // ties
			}
			if round%2 == 1 {
				weights[i] = r.Float64() + 1e-6
			}
		}
		f := FitScores(scores, weights)
		last := math.Inf(1)
		for k := range 200 {
			s := float64(k) * scale / 10
			p, _ := f.P(s)
			if !(p >= 0 && p <= 1 && p <= last+1e-12) {
				t.Fatalf("round %d: P(S ≥ %v) is %v, below it %v", round, s, p, last)
			}
			last = p
		}
		low := 0.0
		for _, share := range []float64{.9, .05, .049, .01, .0099, .001, 1e-9, 5e-324} {
			got := f.Threshold(share)
			if !(got >= low) {
				t.Fatalf("round %d: the threshold of %g is %v, of a larger share %v", round, share, got, low)
			}
			low = got
		}
	}
}

// Of many runs only some scores are kept: the weight of equal scores must not be lost.
func TestThinnedTailKeepsTies(t *testing.T) {
	const n = 50_000
	scores, weights := make([]float64, n), make([]float64, n)
	for i := range scores {
		scores[i], weights[i] = float64(i), 1
		if i > 1000 && i < 40_000 {
			scores[i] = 1001.5
		}
	}
	f := FitScores(scores, weights)
	if len(f.Scores) > maxPoints {
		t.Errorf("%d points", len(f.Scores))
	}
	for _, s := range []float64{0, 500, 1001.5, 1002, 40_000, 45_000, 48_500, 49_000} {
		at := 0.0
		for _, x := range scores {
			if x >= s {
				at++
			}
		}
		if p, _ := f.P(s); s <= f.U && math.Abs(p-at/n) > 2./maxPoints {
			t.Errorf("P(S ≥ %g) is %v, of all scores %v", s, p, at/n)
		}
	}
}

// A baseline is read from a topic: it can contain any JSON value.
func TestFitThatNobodyCanHaveMadeIsNoNaN(t *testing.T) {
	for _, text := range []string{`{}`, `{"runs":-1}`, `{"runs":10,"scores":[1,2,3],"at":[0.5],"u":9}`,
		`{"runs":10,"scores":[1],"at":[-7],"u":9,"beta":0,"pu":-1}`,
		`{"runs":1e308,"u":-1e308,"beta":-1e-308,"pu":1e308}`, `{"runs":5,"u":1,"beta":0,"pu":0}`,
		`{"runs":5,"t5":-1e308,"t1":-1e308,"u":-1e308,"beta":1e308,"pu":5e-324}`} {
		var f Fit
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			t.Fatal(err)
		}
		for _, s := range []float64{0, -1, 1, 5, 1e300, math.Inf(1), math.Inf(-1), math.NaN()} {
			if p, _ := f.P(s); !(p >= 0 && p <= 1) {
				t.Errorf("%s: P(S ≥ %g) is %v", text, s, p)
			}
		}
		for _, share := range []float64{.05, .01, .001, 0, -1, math.NaN()} {
			if got := f.Threshold(share); math.IsNaN(got) || math.IsInf(got, 0) {
				t.Errorf("%s: the threshold of %g is %v", text, share, got)
			}
		}
	}
}
