package learn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/detect/score"
	"flyball/schema"
)

// traffic makes clean runs of forty agents in four groups. It does not follow the assumptions of the
// detector: run lengths are a mixture, some runs poll, some have a bad hour in
// which many calls fail and are tried again, and some page through a listing.
type traffic struct {
	r    *rand.Rand
	n    int
	wild float64 // factor for the number of polls and pages; 0 means 1
}

func (g *traffic) run() *baseline.TrainingRun {
	g.n++
	agent := g.r.IntN(40)
	group := agent % 4
	run := &baseline.TrainingRun{
		ID:    fmt.Sprint("r", g.n),
		Agent: fmt.Sprintf("g%d/a%d", group, agent),
		Group: fmt.Sprint("g", group),
		Task:  fmt.Sprint("t", g.r.IntN(200)),
	}
	var f feature.RunMemory
	call := func(route, arg, result int, failed bool) {
		name := fmt.Sprintf("GET /v%d/things/%d", group, route)
		c := feature.Input{
			Route:     feature.RouteHash(name),
			Args:      uint64(arg) + 1,
			Result:    uint64(result) + 1,
			Failed:    failed,
			Write:     route == 5,
			Bytes:     200 + uint64(result%50)*40,
			Resources: []uint64{uint64(arg) + 1},
		}
		if failed {
			c.Result = feature.FailedResult
		}
		run.Features, run.Routes = append(run.Features, f.Add(&c)), append(run.Routes, name)
	}
	length := 2 + int(math.Exp(g.r.NormFloat64()*.5+1.2+.2*float64(agent%3)))
	if g.r.Float64() < .1 {
		length *= 3
	}
	badHour := g.r.Float64() < .04
	for i := 0; i < length; i++ {
		arg := g.r.IntN(1000)
		failed := g.r.Float64() < .02 || badHour && g.r.Float64() < .4
		route := g.r.IntN(6)
		call(route, arg, g.r.IntN(500), failed)
		for n := 0; failed && n < 2 && g.r.Float64() < .5; n++ {
			call(route, arg, g.r.IntN(500), g.r.Float64() < .5)
		}
	}
	switch x := g.r.Float64(); {
	case x < .03: // polls
		for range 2 + g.r.IntN(g.far(6)) {
			call(1, 7, 7, false)
		}
	case x < .06: // pages
		for i := range 3 + g.r.IntN(g.far(8)) {
			call(2, i, i, false)
		}
	}
	return run
}

func (g *traffic) far(n int) int { return int(float64(n) * max(g.wild, 1)) }

func (g *traffic) runs(n int) []*baseline.TrainingRun {
	out := make([]*baseline.TrainingRun, n)
	for i := range out {
		out[i] = g.run()
	}
	return out
}

// achieved returns the share of runs that alarm, and sets Alarmed of the runs.
func achieved(body *baseline.Baseline, runs []*baseline.TrainingRun) float64 {
	model, threshold, n := score.NewModel(body), body.Calibration.Threshold(calibrate.AlertShare), 0
	for _, r := range runs {
		if r.Alarmed = score.FinalScore(model, r) > threshold; r.Alarmed {
			n++
		}
	}
	return float64(n) / float64(len(runs))
}

// Learning only from runs that did not alarm cuts the tail at each refit, so that more and more runs alarm. The
// traffic is simulated and clean; the rate of each cycle is measured on the same 4,000 runs, which are not learned
// from.
func TestFiftyRefitsKeepTheRate(t *testing.T) {
	const window, fresh = 3000, 1500
	cycle := func(wild float64, keepAlarmed bool, cycles int) (rates []float64) {
		g := &traffic{r: rand.New(rand.NewPCG(1, 2)), wild: wild}
		history := g.runs(window)
		judged := (&traffic{r: rand.New(rand.NewPCG(7, 8)), wild: wild}).runs(4000)
		for range cycles {
			teach := history
			if !keepAlarmed {
				teach = nil
				for _, r := range history {
					if !r.Alarmed {
						teach = append(teach, r)
					}
				}
			}
			body := Fit("t", teach)
			next := g.runs(fresh)
			achieved(body, next)
			rates = append(rates, achieved(body, judged))
			history = append(history[fresh:], next...)
		}
		return rates
	}
	for i, rate := range cycle(1, true, 50) {
		if rate < .5*calibrate.AlertShare || rate > 2*calibrate.AlertShare {
			t.Errorf("cycle %d: %.4f of clean runs alarm, of a budget of %g", i, rate, calibrate.AlertShare)
		}
	}
	// With clean runs whose scores are three times the limit of alarmed scores, the rate
	// drifts to 1.5 % and stays there (mean of the last ten cycles).
	last := 0.0
	for _, rate := range cycle(4, true, 50)[40:] {
		last += rate / 10
	}
	if last < .5*calibrate.AlertShare || last > 2*calibrate.AlertShare {
		t.Errorf("wild traffic: %.4f of clean runs alarm, of a budget of %g", last, calibrate.AlertShare)
	}
	if without := cycle(1, false, 12); without[len(without)-1] < 2*calibrate.AlertShare {
		t.Errorf("without alarmed runs the rate stays, too (%.4f): the test shows nothing", without)
	}
}

// Unlabelled alarmed runs can be real runaways: many of them in the calibration raise the thresholds at most to the limit
// of alarmed scores, and later runaways alarm a few calls later.
func TestUnjudgedRunawaysLiftThresholdsToABound(t *testing.T) {
	g := &traffic{r: rand.New(rand.NewPCG(3, 4))}
	history := g.runs(3000)
	before := Fit("t", history)
	loop := func() *baseline.TrainingRun {
		run := g.run()
		var f feature.RunMemory
		c := feature.Input{Route: feature.RouteHash(run.Routes[0]), Args: 1, Result: 1}
		run.Features = nil
		run.Routes = run.Routes[:1]
		for range 80 {
			run.Features = append(run.Features, f.Add(&c))
		}
		for len(run.Routes) < 80 {
			run.Routes = append(run.Routes, run.Routes[0])
		}
		return run
	}
	for range 600 { // one run in six
		r := loop()
		r.Alarmed = true
		history = append(history, r)
	}
	after := Fit("t", history)
	delay := func(b *baseline.Baseline, share float64) int {
		model, run, steps := score.NewModel(b), score.RunScore{}, loop()
		c := feature.Input{Route: feature.RouteHash(steps.Routes[0]), Args: 1, Result: 1}
		for n := range 80 {
			run.Add(model, score.Reference{Agent: steps.Agent, Group: steps.Group}, &c, int64(n), schema.ReversibilityUnknown)
			if run.Score > b.Calibration.Threshold(share) {
				return n + 1
			}
		}
		return math.MaxInt
	}
	for _, share := range []float64{calibrate.AlertShare, .001} {
		was, is := delay(before, share), delay(after, share)
		t.Logf("at %g: threshold %.2f and %.2f, a loop alarms at call %d and %d", share, before.Calibration.Threshold(share),
			after.Calibration.Threshold(share), was, is)
		if is > was+8 {
			t.Errorf("at %g a loop alarms at call %d; without the flood at %d", share, is, was)
		}
	}
}
