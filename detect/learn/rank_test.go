package learn

import (
	"math"
	"math/rand/v2"
	"testing"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/score"
)

// poller is an agent that polls in three runs of ten.
const poller = "g3/a3"

// polls adds identical calls to a run of the poller, in three runs of ten.
func polls(g *traffic, r *baseline.TrainingRun) *baseline.TrainingRun {
	if r.Agent != poller || g.r.Float64() > .3 {
		return r
	}
	out := *r
	out.Features, out.Routes = nil, nil
	var f feature.RunMemory
	add := func(route string, c feature.Input) {
		c.Route, c.Bytes = feature.RouteHash(route), 300
		out.Features, out.Routes = append(out.Features, f.Add(&c)), append(out.Routes, route)
	}
	for i, route := range r.Routes {
		add(route, feature.Input{Args: uint64(1e6*g.n + i), Result: uint64(i), Failed: r.Features[i].Failed, Write: r.Features[i].Write})
	}
	for range 3 + g.r.IntN(20) {
		add("GET /v3/things/1", feature.Input{Args: 8, Result: 8})
	}
	return &out
}

// The expected rate in a finding, which is learned from an agent's clean runs, is correct for its next runs, also for
// an agent whose runs would be outliers for other agents. The traffic is simulated, and scored by the learned model.
func TestOwnRateIsThatOfTheNextRuns(t *testing.T) {
	const tenants = 6
	shares := [...]float64{.02, .05, .1}
	type seen struct {
		runs float64
		hits [len(shares)]float64
	}
	var all, own seen
	for tenant := range uint64(tenants) {
		g := &traffic{r: rand.New(rand.NewPCG(11, tenant))}
		runs := func(n int) []*baseline.TrainingRun {
			out := g.runs(n)
			for i, r := range out {
				out[i] = polls(g, r)
			}
			return out
		}
		body := Fit("t", runs(5000))
		if _, ok := body.Ranks.Agents[poller]; !ok || len(body.Ranks.Agents) < 35 {
			t.Fatalf("%d agents have ranks", len(body.Ranks.Agents))
		}
		model := score.NewModel(body)
		for _, r := range runs(8000) {
			e := body.Ranks.Expected(&body.Calibration, r.Agent, r.Group, score.FinalScore(model, r))
			for _, s := range []*seen{&all, &own} {
				if s == &own && r.Agent != poller {
					continue
				}
				s.runs++
				for i, a := range shares {
					if e.Rate <= a {
						s.hits[i]++
					}
				}
			}
		}
	}
	for name, s := range map[string]seen{"all": all, "the poller": own} {
		for i, a := range shares {
			got := s.hits[i] / s.runs
			t.Logf("%s: a rate of at most %g in %.4f of %g runs", name, a, got, s.runs)
			// Each rank is of a sample of some 125 runs, so its own sampling error is added.
			ranks := 40. * tenants
			if name != "all" {
				ranks = tenants
			}
			if se := math.Sqrt(a * (1 - a) * (1/s.runs + 1/(125*ranks))); got > a+4*se {
				t.Errorf("%s: a rate of at most %g in %.4f of %g runs", name, a, got, s.runs)
			}
		}
	}
}
