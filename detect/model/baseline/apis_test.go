package baseline

import (
	"fmt"
	"math"
	"testing"

	"flyball/detect/model/calibrate"
	"flyball/schema"
)

// The strength of a rate is in its runs: an API that one run in a window used is as new as before.
func TestAPIIsKnownFromOneRun(t *testing.T) {
	b := New("t")
	for n := range 30 {
		r := goldenRun("g/0", "", "", n)
		for i := range r.Features {
			switch r.Features[i].API = 1; {
			case n < MinAgentRuns-1 && i == 0:
				r.Features[i].API = 2
			case n < MinAgentRuns && i == 1:
				r.Features[i].API = 3
			}
		}
		b.Learn(r)
	}
	b.Finish()
	for api, want := range map[uint64]bool{0: true, 1: true, 2: false, 3: true, 4: false} {
		if got := b.KnownAPIs.Knows("g", api); got != want {
			t.Errorf("API %d is known: %v", api, got)
		}
	}
	if !b.KnownAPIs.Knows("other", 4) || !New("t").KnownAPIs.Knows("g", 4) || !(KnownAPIs)(nil).Knows("g", 4) {
		t.Error("where no API is known, each is one that nobody knows")
	}
}

// Callers can invent APIs: those of the most runs are kept.
func TestInventedAPIsReplaceTheUsualOne(t *testing.T) {
	k := KnownAPIs{}
	for n := range 2 * MinAgentRuns {
		r := goldenRun("g/0", "", "", n)
		for i := range r.Features {
			r.Features[i].API = 1
		}
		for i := range 2 * maxCountedAPIs {
			f := r.Features[0]
			f.API = uint64(10 + i)
			r.Features = append(r.Features, f)
		}
		k.add(r)
	}
	k.finish()
	if len(k["g"]) > maxAPIs || !k.Knows("g", 1) {
		t.Errorf("%d APIs are kept, the usual one: %v", len(k["g"]), k.Knows("g", 1))
	}
}

// Two invented names would make everybody of an invented group a caller whose peers are known.
func TestClaimedNamesArePeers(t *testing.T) {
	b := New("t")
	for n := range MinPeerRuns {
		r := goldenRun(fmt.Sprint("g/", n%2), "", "", n)
		r.Agent = "~" + r.Agent
		b.Learn(r)
	}
	b.Finish()
	if got := b.Acquaintance("g/9", "g"); got != schema.NewPopulation {
		t.Errorf("a %v", got)
	}
}

// A few groups of which clean runs look like runaways make no threshold that nothing reaches, and where even the highest one
// is exceeded too often, new populations do not trip.
func TestGroupsThatPollMakeStrangersUnseen(t *testing.T) {
	b := New("t")
	scores, weights := make([]float64, 500), make([]float64, 500)
	for i := range scores {
		scores[i], weights[i] = -math.Log((float64(i)+.5)/500), 1
	}
	b.Calibration = calibrate.FitScores(scores, weights)
	groups := map[string]calibrate.Rank{}
	b.ByClass = &ByClass{NewPopulation: calibrate.Populations{Groups: groups}}
	usual, polls := fillScores(150, 2), fillScores(150, 24.8)
	for i := range 7 {
		groups[fmt.Sprint("usual", i)] = usual
	}
	for n := range 6 {
		levels, why := b.Thresholds().Levels(schema.NewPopulation, "g", .001), b.Thresholds().Uncalibrated(schema.NewPopulation)
		if n < 3 && why != "" || n >= 4 && why != WhyPopulationsDiffer {
			t.Errorf("%d groups that poll: %q", n, why)
		}
		if why != "" && levels[2] != math.MaxFloat64 {
			t.Errorf("%d groups that poll: trips at %v", n, levels[2])
		}
		if why == "" && levels[2] > math.Log(1000)+calibrate.MaxRaise+1e-9 || levels[1] > math.Log(1000)+calibrate.MaxRaise+1e-9 {
			t.Errorf("%d groups that poll: %v", n, levels)
		}
		groups[fmt.Sprint("polls", n)] = polls
	}
}

// fillScores returns the rank of n runs with one score.
func fillScores(n int, score float64) calibrate.Rank {
	scores, weights := make([]float64, n), make([]float64, n)
	for i := range scores {
		scores[i], weights[i] = score, 1
	}
	return calibrate.NewRank(scores, weights)
}
