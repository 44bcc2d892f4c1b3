package evaluate

import (
	"math"
	"slices"
	"testing"
)

func TestProceduresOverManyRunsDecideAsPublished(t *testing.T) {
	p := []float64{1e-9, .5, 1e-6, .9, .04, .2, .7, .6, .3, .8}
	// e-values 15811, .7, 500, .5, 2.5 …: e·k ≥ n/α = 100 holds for the first two.
	if got := decideEBH(p, .1); !slices.Equal(got, []bool{true, false, true, false, false, false, false, false, false, false}) {
		t.Errorf("e-BH: %v", got)
	}
	// The first threshold is .05·γ(1), γ(1) = .0722·ln 2.
	first := .05 * .0722 * math.Ln2
	if got := decideLORD([]float64{first * .999, 1}, .1); !got[0] {
		t.Error("LORD++ passes over a p-value below its first threshold")
	}
	if got := decideLORD([]float64{first * 1.001, 1}, .1); got[0] {
		t.Error("LORD++ takes a p-value above its first threshold")
	}
	// Directly after an alarm: .05·γ(2) + .05·γ(1).
	second := first + .05*.0722*math.Ln2/(2*math.Exp(math.Sqrt(math.Ln2)))
	if got := decideLORD([]float64{first / 2, second * .999}, .1); !got[1] {
		t.Error("LORD++ does not earn by its alarm")
	}
	if got := decideLORD([]float64{first / 2, second * 1.001}, .1); got[1] {
		t.Error("LORD++ earns too much by its alarm")
	}
}

func TestLengthsOfOneLawStayWithinTheirTails(t *testing.T) {
	var runs []Length
	for i := range 4000 { // quantiles of a log-normal, median 12, σ = .5
		z := math.Sqrt2 * math.Erfinv(2*(float64(i)+.5)/4000-1)
		runs = append(runs, Length{Agent: "g/a", Group: "g", Task: string(rune('a' + i%26)), Calls: int(math.Exp(2.5 + .5*z))})
	}
	l := EvaluateLengths(runs)
	if l.Runs != 4000 || l.Achieved["0.01"] < .004 || l.Achieved["0.01"] > .015 || l.Achieved["0.0001"] > .001 {
		t.Errorf("%+v", l)
	}
	if EvaluateLengths(nil) != nil {
		t.Error("lengths of nothing")
	}
}
