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
	Baseline *baseline.Baseline
	model    *score.Model
	actor    float64 // score above which an actor alarms
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
	return &Detector{Baseline: b, model: score.NewModel(b), actor: b.AcrossRuns.Calibration.Threshold(calibrate.ActorShare)}
}

// Thresholds returns the scores above which a run of an agent alarms, by Levels.
func (d *Detector) Thresholds(agent, group string) (out [len(Levels)]float64) {
	class := d.Baseline.Acquaintance(agent, group)
	for i, level := range Levels {
		out[i] = d.Baseline.Threshold(class, group, level)
	}
	return out
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
