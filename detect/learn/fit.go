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

// Fit makes a body of clean runs: counts of all of them, calibrated by scoring
// each run with counts that know neither its task nor its agent.
func Fit(tenant string, runs []*baseline.Run) *baseline.Body {
	body := baseline.New(tenant)
	for _, r := range runs {
		body.Learn(r)
	}
	body.Finish()
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
			kept.Learn(r)
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
	for i, h := range out {
		scores[i], weights[i] = h.score, 1/times[h.run]
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
