package calibrate

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"
)

// Made by testdata/populations.py with SciPy.
//
//go:embed testdata/populations.json
var populationsJSON []byte

// wholeRank returns the rank of scores with all of them kept.
func wholeRank(scores []float64) Rank {
	sorted := slices.Clone(scores)
	slices.Sort(sorted)
	slices.Reverse(sorted)
	r := Rank{Runs: float64(len(sorted))}
	for i, s := range sorted {
		if i == 0 || s != sorted[i-1] {
			r.Scores, r.Above = append(r.Scores, s), append(r.Above, float64(i))
		}
	}
	return r
}

func TestThresholdsOfPopulationsAgreeWithSciPy(t *testing.T) {
	var ref struct {
		Populations []struct {
			Groups                        [][]float64
			At, Lower, Shares, Thresholds []float64
		}
		Ranks []struct {
			Scores []float64
			Cases  [][3]float64
		}
	}
	if err := json.Unmarshal(populationsJSON, &ref); err != nil {
		t.Fatal(err)
	}
	compared, aboveLeast := 0, 0
	check := func(what string, got, want float64) {
		t.Helper()
		if compared++; !near(got, want) && math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: %v, SciPy has %v", what, got, want)
		}
	}
	for i, v := range ref.Populations {
		p := Populations{Groups: map[string]Rank{}}
		for k, scores := range v.Groups {
			p.Groups[fmt.Sprint(k)] = wholeRank(scores)
		}
		for k, want := range v.Lower {
			check(fmt.Sprintf("populations %d: lower limit at %v", i, v.At[k]), p.newRateLimit().at(v.At[k]), want)
		}
		for k, want := range v.Thresholds {
			most := MaxRaise - math.Log(v.Shares[k]) // the reference has no limit
			check(fmt.Sprintf("populations %d: threshold of %v", i, v.Shares[k]), p.Threshold(v.Shares[k]), min(want, most))
			if got := p.Holds(v.Shares[k]); got != (want <= most) {
				t.Errorf("populations %d: the share %v holds: %v, with a threshold of %v", i, v.Shares[k], got, want)
			}
			if want > -math.Log(v.Shares[k]) {
				aboveLeast++
			}
		}
	}
	for i, v := range ref.Ranks {
		r := wholeRank(v.Scores)
		for _, c := range v.Cases {
			check(fmt.Sprintf("rank %d: %v raised for %v", i, c[0], c[1]), r.Raised(c[0], c[1]), c[2])
			if c[2] > c[0] {
				aboveLeast++
			}
		}
	}
	if aboveLeast < 20 {
		t.Errorf("only %d of the thresholds are raised", aboveLeast)
	}
	t.Logf("%d values, %d raised thresholds", compared, aboveLeast)
}

// Ranks keep only a part of the scores. The runs above a score may be counted too high, never too low.
func TestThinnedRankHidesRuns(t *testing.T) {
	var scores []float64
	for i := range 5000 {
		scores = append(scores, math.Sqrt(float64(i*7919%5000)))
	}
	whole, thin := wholeRank(scores), NewRank(scores, fill(len(scores), 1))
	if len(thin.Scores) > 100 {
		t.Fatalf("%d scores are kept", len(thin.Scores))
	}
	for at := 0.; at < 72; at += .37 {
		if got, want := thin.above(at), whole.above(at); got < want-1e-3 || got > 1.34*want+1e-3 {
			t.Errorf("%v of the runs are above %v, not %v", got, at, want)
		}
	}
}

func TestPopulationsWithoutEnoughGroupsAreNotCalibrated(t *testing.T) {
	p := Populations{Groups: map[string]Rank{}}
	for n := range MinPopulations + 1 {
		if got := p.Calibrated(); got != (n >= MinPopulations) {
			t.Errorf("%d groups: calibrated is %v", n, got)
		}
		for _, share := range []float64{.05, .01, .001, 1e-300} {
			if got := p.Threshold(share); got != -math.Log(share) { // all runs have the score 1
				t.Errorf("%d groups: the threshold of %v is %v", n, share, got)
			}
		}
		p.Groups[fmt.Sprint(n)] = wholeRank(fill(60, 1))
	}
	for _, share := range []float64{0, -1, math.NaN()} {
		if got := p.Threshold(share); got != math.MaxFloat64 {
			t.Errorf("the threshold of %v is %v", share, got)
		}
	}
}

func TestPopulationsOfFewRunsCount(t *testing.T) {
	var held []HeldOutScore
	add := func(group string, n int, score, weight float64) {
		for range n {
			held = append(held, HeldOutScore{Group: group, Score: score, Weight: weight})
		}
	}
	add("enough", 50, 1, 1)
	add("few", 49, 1, 1)
	add("light", 80, 1, .5)
	add("infinite", 80, math.Inf(1), 1)
	add("none", 80, math.NaN(), 1)
	if p := NewPopulations(held, 50); len(p.Groups) != 1 || p.Groups["enough"].Runs != 50 {
		t.Errorf("%+v", p)
	}
}

// Whatever JSON holds, a threshold is a number of at least −ln(share) and the search for it ends.
func TestPopulationsThatNobodyCanHaveMadeAreNoNaN(t *testing.T) {
	for _, text := range []string{`{}`, `{"groups":null}`, `{"groups":{"a":{},"b":{},"c":{},"d":{}}}`,
		`{"groups":{"a":{"runs":-1,"scores":[9,8],"above":[0]},"b":{"runs":0,"scores":[7],"above":[]},` +
			`"c":{"runs":1e308,"scores":[1e308,-1e308],"above":[1e308,-1e308]}}}`,
		`{"groups":{"a":{"runs":60,"scores":[5,6,7,8],"above":[-9,-9,-9,60]},"b":{"runs":60,"scores":[1e308,1e308],` +
			`"above":[60,60]},"c":{"runs":5e-324,"scores":[9],"above":[1e308]},"d":{"runs":60,"scores":[],"above":[60]}}}`,
	} {
		var p Populations
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		for _, share := range []float64{.05, .01, .001, 1e-300} {
			if got := p.Threshold(share); !(got >= -math.Log(share) && got <= math.MaxFloat64) {
				t.Errorf("%s: the threshold of %v is %v", text, share, got)
			}
			for _, r := range p.Groups {
				if got := r.Raised(4, share); !(got >= 4 && got <= math.MaxFloat64) {
					t.Errorf("%s: raised for %v to %v", text, share, got)
				}
			}
		}
	}
}
