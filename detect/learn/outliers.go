package learn

import (
	"math"
	"slices"

	"flyball/detect/model/baseline"
	"flyball/detect/score"
)

// outlierShare of the runs that nothing was found of, those that lie furthest out by the
// version before, teach thresholds and no counts: what hides just below the alarm
// does not become normal. They calibrate at full weight, so that nothing creeps
// (TestTrimmedRefitsKeepTheRate, adr/0001).
const outlierShare = .01

// markOutliers marks them. What a person found benign is not among them.
func markOutliers(before *baseline.Baseline, runs []*baseline.TrainingRun) int {
	if before == nil {
		return 0
	}
	model := score.NewModel(before)
	scores := make([]float64, len(runs))
	var ranked []float64
	for i, r := range runs {
		if r.Trimmed = false; r.Alarmed || len(r.Features) == 0 {
			continue
		}
		scores[i] = score.FinalScore(model, r)
		ranked = append(ranked, scores[i])
	}
	if len(ranked) == 0 {
		return 0
	}
	slices.Sort(ranked)
	cut := ranked[int(math.Ceil(float64(len(ranked))*(1-outlierShare)))-1]
	n := 0
	for i, r := range runs {
		if !r.Alarmed && !r.Benign && scores[i] > cut {
			r.Trimmed = true
			n++
		}
	}
	return n
}
