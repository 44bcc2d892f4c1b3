package learn

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/detect/score"
	"flyball/schema"
)

// sent returns the days of an agent with the given numbers of runs.
func sent(perDay ...int) map[uint16]*Day {
	out := map[uint16]*Day{}
	r := rand.New(rand.NewPCG(5, 6))
	for day, n := range perDay {
		if n == 0 {
			continue
		}
		d := &Day{Runs: uint64(n)}
		for i := range min(n, MaxRunsPerDay) {
			d.Sample = append(d.Sample, StoredRun{Hash: r.Uint64(), ID: fmt.Sprint(day, "/", i), At: int64(day)*86400e9 + int64(i)})
		}
		out[uint16(day)] = d
	}
	return out
}

func month(perDay int, last ...int) []int {
	var out []int
	for range 29 {
		out = append(out, perDay)
	}
	return append(out, last...)
}

func TestOneDayTeachesMoreThanItsShare(t *testing.T) {
	for name, tc := range map[string]struct {
		days           []int
		ofLast, all    int
		dayFull, spare uint64
	}{
		"three a day, then ten thousand":     {month(3, 10_000), 10, 97, 9990, 0},
		"twenty a day, then ten thousand":    {month(20, 10_000), 40, 200, 9960, 420},
		"a thousand a day, as ever":          {month(1000, 1000), 50, 200, 30 * 950, 1300},
		"the first day":                      {[]int{300}, 50, 50, 250, 0},
		"one a day, then a few more":         {month(1, 7), 7, 36, 0, 0},
		"a batch once a week":                {[]int{1, 1, 1, 1, 1, 1, 80, 1, 1, 1, 1, 1, 1, 80}, 10, 32, 140, 0},
		"nothing for days, then a flood":     {[]int{4, 4, 4, 0, 0, 0, 0, 0, 500}, 10, 22, 490, 0},
		"two days of which one is the flood": {[]int{12, 5000}, 24, 36, 4976, 0},
	} {
		t.Run(name, func(t *testing.T) {
			days := sent(tc.days...)
			picked, full, enough := sampleDays(days, 200)
			last := 0
			for _, r := range picked {
				if r.At >= int64(len(tc.days)-1)*86400e9 {
					last++
				}
			}
			if last != tc.ofLast || len(picked) != tc.all || full != tc.dayFull || enough != tc.spare {
				t.Errorf("%d of the last day among %d; left out %d and %d; want %+v", last, len(picked), full, enough, tc)
			}
		})
	}
}

// An attacker sends ten thousand runs in one night, each just below the threshold, so that a loop does not alarm the next
// day. The effect is limited: the loop alarms only as many calls later as after the runs of a usual day.
func TestPoisonerOfOneNightMovesMuch(t *testing.T) {
	const agent, group = "g0/a0", "g0"
	g := &traffic{r: rand.New(rand.NewPCG(7, 8))}
	others := g.runs(3000)
	for _, r := range others {
		if r.Agent == agent {
			r.Agent = "g0/a4"
		}
	}
	polls := func() *baseline.TrainingRun { // repeats one call as often as possible without an alarm
		r := g.run()
		r.Agent, r.Group = agent, group
		var f feature.RunMemory
		r.Features, r.Routes = nil, nil
		for i := range 12 {
			name := "GET /v0/things/1"
			c := feature.Input{Route: feature.RouteHash(name), Args: uint64(1 + i/5), Result: 1, Bytes: 200}
			r.Features, r.Routes = append(r.Features, f.Add(&c)), append(r.Routes, name)
		}
		return r
	}
	fit := func(night int, bounded bool) *baseline.Baseline {
		days := sent(month(5, night)...)
		picked, _, _ := sampleDays(days, 200)
		if !bounded { // the newest runs, up to the limit of an agent
			picked = nil
			for i := range min(night, 200) {
				picked = append(picked, StoredRun{At: 29*86400e9 + int64(i)})
			}
		}
		teach := append([]*baseline.TrainingRun(nil), others...)
		for _, p := range picked {
			r := g.run()
			r.Agent, r.Group = agent, group
			if p.At >= 29*86400e9 && night > 5 {
				r = polls()
			}
			teach = append(teach, r)
		}
		return Fit("t", teach)
	}
	delay := func(b *baseline.Baseline) int {
		model, run := score.NewModel(b), score.RunScore{}
		c := feature.Input{Route: feature.RouteHash("GET /v0/things/1"), Args: 1, Result: 1, Bytes: 200}
		for n := range 200 {
			run.Add(model, score.Reference{Agent: agent, Group: group}, &c, int64(n), schema.ReversibilityUnknown)
			if run.Score > b.Calibration.Threshold(calibrate.AlertShare) {
				return n + 1
			}
		}
		return 200
	}
	odds := func(b *baseline.Baseline) float64 {
		p := float64(b.UsualFigures(agent, group)[feature.Repeats].Own)
		return p / (1 - p)
	}
	before, after, free := fit(5, true), fit(10_000, true), fit(10_000, false)
	shared := odds(after)
	after.LimitDrift(before, agent, group, 1)
	t.Logf(
		"odds of a repeat: %.4f before; after the night %.4f if nothing held, %.4f by the share of a day, %.4f by the bound on drift; a loop "+
			"alarms at call %d before, %d and %d after",
		odds(before),
		odds(free),
		shared,
		odds(after),
		delay(before),
		delay(free),
		delay(after),
	)
	if odds(after) > baseline.DriftPerDay*odds(before)*1.05 { // its peers changed slightly too
		t.Errorf("in one night the odds of a repeat moved from %.4f to %.4f", odds(before), odds(after))
	}
	if delay(after) > delay(before)+1 {
		t.Errorf("a loop alarms at call %d, %d before the night", delay(after), delay(before))
	}
	if shared < 2*odds(after) || odds(free) < 2*shared {
		t.Error("without a share of days, or without the bound, as little moves: the test shows nothing")
	}
}

// A baseline of 10,000 runs of 2,000 agents in 40 groups.
func BenchmarkFit(b *testing.B) {
	g := &traffic{r: rand.New(rand.NewPCG(7, 8))}
	runs := g.runs(10_000)
	for i, r := range runs {
		r.Agent, r.Group = fmt.Sprintf("g%d/a%d", i%40, i%2000), fmt.Sprint("g", i%40)
		if r.Scope != nil {
			r.Scope.Agent, r.Scope.Group = r.Agent, r.Group
		}
	}
	for b.Loop() {
		Fit("t", runs)
	}
}
