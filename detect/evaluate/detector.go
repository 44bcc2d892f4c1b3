package evaluate

import (
	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/detect/score"
)

// Detector is the one that `detect` runs, to judge labelled runs by.
type Detector struct{ by *detector }

// Learn makes the detector that labelled runs teach.
func Learn(runs []*Labelled) *Detector { return &Detector{learned(runs)} }

// With makes the detector of a body.
func With(body *baseline.Baseline) *Detector { return &Detector{with(body)} }

// Body that it judges by.
func (d *Detector) Body() *baseline.Baseline { return d.by.body }

// Path is a run's score after each of its calls.
func (d *Detector) Path(r *Labelled) []float64 { return d.by.path(r) }

// Thresholds are the scores above which a run alarms, at each of Levels.
func (d *Detector) Thresholds() [len(Levels)]float64 { return d.by.thresholds }

func with(body *baseline.Baseline) *detector {
	d := &detector{body: body, model: score.NewModel(body)}
	for i, level := range Levels {
		d.thresholds[i] = body.Calibration.Threshold(level)
	}
	d.actor = body.AcrossRuns.Calibration.Threshold(calibrate.ActorShare)
	return d
}
