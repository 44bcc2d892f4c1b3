package learn

import (
	"math/rand/v2"
	"testing"

	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
)

// Using outliers only for the calibration must not lower the thresholds from refit to refit: 50 refits on clean traffic,
// each with the outliers of the version before.
func TestTrimmedRefitsKeepTheRate(t *testing.T) {
	const window, fresh = 3000, 1500
	g := &traffic{r: rand.New(rand.NewPCG(1, 2))}
	history := g.runs(window)
	judged := (&traffic{r: rand.New(rand.NewPCG(7, 8))}).runs(4000) // the same runs in each cycle: only the thresholds differ
	var before *baseline.Baseline
	for i := range 50 {
		markOutliers(before, history)
		before = Fit("t", history)
		next := g.runs(fresh)
		achieved(before, next)
		if rate := achieved(before, judged); rate < .5*calibrate.AlertShare || rate > 2*calibrate.AlertShare {
			t.Errorf("cycle %d: %.4f of clean runs alarm, of a budget of %g", i, rate, calibrate.AlertShare)
		}
		history = append(history[fresh:], next...)
	}
}

func TestBenignRunIsTrimmed(t *testing.T) {
	g := &traffic{r: rand.New(rand.NewPCG(9, 9))}
	runs := g.runs(1000)
	body := Fit("t", runs)
	n := markOutliers(body, runs)
	if n == 0 || n > 10 {
		t.Fatalf("%d of 1000 trimmed", n)
	}
	for _, r := range runs {
		r.Benign = r.Trimmed
	}
	if again := markOutliers(body, runs); again != 0 {
		t.Errorf("%d runs that a person found benign do not teach", again)
	}
	if markOutliers(nil, runs) != 0 {
		t.Error("trimmed by no version")
	}
}
