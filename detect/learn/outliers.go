package learn

import (
	"math"
	"slices"

	"flyball/detect/model/baseline"
	"flyball/detect/score"
)

// outlierShare is the share of the runs without an alarm that are marked as outliers: those with the highest scores by
// the previous version. They are used for the thresholds and not for the counts, so that behaviour just below the
// threshold does not become normal. They have full weight in the calibration, so that the thresholds do not fall from
// refit to refit (TestTrimmedRefitsKeepTheRate, adr/0001).
const outlierShare = .01

// markOutliers sets Trimmed of the runs that are outliers, and returns their number. It does not mark runs that a person
// found benign.
func markOutliers(before *baseline.Baseline, runs []*baseline.TrainingRun) int {
	if before == nil {
		return 0
	}
	model := score.NewModel(before)
	scores := make([]float64, len(runs))
	var ranked []float64
	for i, r := range runs {
		giveWay(i)
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
