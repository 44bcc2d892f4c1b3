package evaluate

import (
	"flyball/detect/learn"
	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/detect/score"
	"flyball/schema"
)

// Detector scores labelled runs by one baseline, in the same way as the role detect.
type Detector struct {
	Baseline   *baseline.Baseline
	model      *score.Model
	Thresholds [len(Levels)]float64 // scores above which a run alarms, by Levels
	actor      float64              // score above which an actor alarms
}

// LearnDetector learns a detector from runs, in the same way as package learn from stored runs.
func LearnDetector(runs []*Labelled) *Detector {
	var teach []*baseline.TrainingRun
	for _, r := range runs {
		teach = append(teach, r.trainingRun())
	}
	learn.SetTaskTypes(teach)
	return NewDetector(learn.Fit("eval", teach))
}

// NewDetector returns a detector with the baseline.
func NewDetector(b *baseline.Baseline) *Detector {
	d := &Detector{Baseline: b, model: score.NewModel(b), actor: b.AcrossRuns.Calibration.Threshold(calibrate.ActorShare)}
	for i, level := range Levels {
		d.Thresholds[i] = b.Calibration.Threshold(level)
	}
	return d
}

// Scores returns the score of a run after each of its calls.
func (d *Detector) Scores(r *Labelled) []float64 {
	var run score.RunScore
	out := make([]float64, len(r.Calls))
	for i := range r.Calls {
		run.Add(d.model, r.reference(), &r.Calls[i].Input, int64(i), schema.ReversibilityUnknown)
		out[i] = run.Score
	}
	return out
}
