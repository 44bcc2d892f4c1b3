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
func LearnDetector(runs []*Labelled) *Detector { return learnDetector(runs, nil) }

// learnDetector learns a detector from runs, of which some alarmed when they happened.
func learnDetector(runs []*Labelled, alarmed map[*Labelled]bool) *Detector {
	var teach []*baseline.TrainingRun
	for _, r := range runs {
		t := r.trainingRun()
		t.Alarmed = alarmed[r]
		teach = append(teach, t)
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
	levels := d.Baseline.Thresholds().Levels(d.Baseline.Acquaintance(agent, group), group, Levels[1])
	return [len(Levels)]float64{levels[schema.LevelAlert-1], levels[schema.LevelTrip-1]}
}

// Scores returns the score of a run after each of its calls.
func (d *Detector) Scores(r *Labelled) []float64 {
	path, _ := follow(r, func(int) *Detector { return d })
	return path
}

// follow returns the score of a run after each of its calls, and the scores above which it alarms at that call, by Levels:
// a call to an API that no peer used is judged as that of a stranger. at returns the detector that is in use at a call.
func follow(r *Labelled, at func(call int) *Detector) (path []float64, limits [][len(Levels)]float64) {
	var run score.RunScore
	path, limits = make([]float64, len(r.Calls)), make([][len(Levels)]float64, len(r.Calls))
	for i := range r.Calls {
		run.Add(at(i).model, r.reference(), &r.Calls[i].Input, int64(i), schema.ReversibilityUnknown)
		levels := run.Levels(Levels[1])
		path[i], limits[i] = run.Score, [len(Levels)]float64{levels[1], levels[2]}
	}
	return path, limits
}
