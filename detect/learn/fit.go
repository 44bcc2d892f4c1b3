package learn

import (
	"crypto/sha256"
	"encoding/binary"

	"flyball/detect/baseline"
	"flyball/detect/calibrate"
	"flyball/detect/score"
)

// folds of the calibration.
const folds = 10

// Alarmed runs that nobody has judged belong to the clean ones as far as the
// budget would have it: without them every refit would cut off the tail that the
// last one alarmed on, and the thresholds would creep down (TestFiftyRefitsKeepTheRate).
// Bounded, since some of them are what the alarms are for.
const (
	// Together they weigh no more than the budget of alerts of the others, twice
	// over: so much that thresholds which alarm too often find back.
	mostAlarmed = 2 * calibrate.AlertShare
	// One of them counts as no further out than this, or than the furthest of the
	// others: where those come further, less would cut the tail after all.
	alarmedAs = calibrate.Winsorise
)

// Fit makes a body of runs: counts of those that did not alarm, calibrated by
// scoring each run with counts that know neither its task nor its agent.
func Fit(tenant string, runs []*baseline.Run) *baseline.Body {
	body := baseline.New(tenant)
	alarmed := 0.0
	for _, r := range runs {
		if r.Alarmed {
			alarmed++
			continue
		}
		body.Learn(r)
	}
	body.Finish()
	weight := 1.0
	if most := mostAlarmed * float64(body.Runs); alarmed > most {
		weight = most / alarmed
	}
	type held struct {
		run   int
		score float64
	}
	var out []held
	times := make([]float64, len(runs))
	for fold := range folds {
		kept := baseline.New(tenant)
		var tested []int
		for i, r := range runs {
			if heldOut(r, fold) {
				tested = append(tested, i)
				continue
			}
			if !r.Alarmed {
				kept.Learn(r)
			}
		}
		if len(tested) == 0 || kept.Runs == 0 {
			continue
		}
		kept.Finish()
		model := score.NewModel(kept)
		for _, i := range tested {
			out = append(out, held{i, score.Final(model, runs[i])})
			times[i]++
		}
	}
	scores, weights := make([]float64, len(out)), make([]float64, len(out))
	furthest := float64(alarmedAs)
	for _, h := range out {
		if !runs[h.run].Alarmed {
			furthest = max(furthest, h.score)
		}
	}
	for i, h := range out {
		scores[i], weights[i] = h.score, 1/times[h.run]
		if runs[h.run].Alarmed {
			scores[i], weights[i] = min(h.score, furthest), weight*weights[i]
		}
	}
	body.Calibration = calibrate.Of(scores, weights)
	return body
}

// heldOut reports whether a fold tests a run: by its task and by its agent, so
// that a run is judged by what is known of others. A run without a task is its own.
func heldOut(r *baseline.Run, fold int) bool {
	task := "t" + r.Task
	if r.Task == "" {
		task = "r" + r.ID
	}
	return part(task) == fold || part("a"+r.Agent) == fold
}

// part is the fold of a name: the first 52 bits of SHA-256 as a fraction.
func part(name string) int {
	sum := sha256.Sum256([]byte(name))
	return int(float64(binary.BigEndian.Uint64(sum[:])>>12) / (1 << 52) * folds)
}
