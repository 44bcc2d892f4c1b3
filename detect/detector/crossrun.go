package detector

import (
	"fmt"
	"strings"
	"time"

	"flyball/detect/model/calibrate"
	"flyball/detect/score"
	"flyball/schema"
	"flyball/schema/wire"
	"flyball/schema/wording"
)

// crossRunName is the detector's name in stored state.
const crossRunName = "crossrun"

// crossRunDetector finds actors that run away over several runs while no single run is unusual. The
// finding belongs to the run whose call exceeds the threshold.
type crossRunDetector struct {
	threshold float64 // score of an actor above which there is a finding
}

// alarmMemory is how long an actor's alarm is kept: a second alarm within this time trips. Each
// alarm resets the score, so that the two depend on different calls.
const alarmMemory = 24 * time.Hour

// crossRunActor is the state of an actor, for all its runs.
type crossRunActor struct {
	score.ActorScore
	alarmedAt int64 // event time of the last alarm, Unix ns; 0: none
	lastAt    int64 // event time of the latest call, Unix ns; 0: not known
}

// actorMemory is how long an actor's latest calls are kept after the last of them, also when all its runs are gone. Whoever
// makes one call an hour has no run when the next one comes.
const actorMemory = alarmMemory

// NeededUntil implements stitch.Remembered.
func (a *crossRunActor) NeededUntil() int64 {
	if a.lastAt == 0 {
		return 0
	}
	return a.lastAt + int64(actorMemory)
}

// crossRunState is a run's finding that its actor runs away over several runs.
type crossRunState struct {
	Progress
	exposure schema.Exposure     // calls of the run when it was found
	evidence schema.Contribution // of the actor
	score    float64
}

// Describe implements Detector.
func (*crossRunDetector) Describe() Description {
	return Description{Name: crossRunName, StateVersion: 10,
		NewRunState: func() State { return &crossRunState{} }, NewActorState: func() State { return &crossRunActor{} }}
}

// Activate implements Detector.
func (d *crossRunDetector) Activate(m *score.Model) {
	if m != nil {
		d.threshold = m.Baseline.AcrossRuns.Calibration.Threshold(calibrate.ActorShare)
	}
}

// Judge adds a call to its actor's score.
func (d *crossRunDetector) Judge(c *Judgment) {
	a, run := c.ActorState().(*crossRunActor), c.RunState
	a.Add(&run.RunScore, &c.Step)
	a.lastAt = max(a.lastAt, c.Start)
	if c.Baseline == nil || a.Score <= d.threshold || c.Level(run.Score) >= schema.LevelAlert {
		return // if the run alone is unusual, the run has a finding of its own family
	}
	level := schema.LevelAlert
	if run.Stranger() { // how often a new population does this is not calibrated: it never trips
		if c.Baseline.Baseline.Thresholds().Uncalibrated(schema.NewPopulation) != "" && !run.Claimed() {
			return // a caller who could choose its name is at least alerted on
		}
		a.alarmedAt = 0
	}
	if a.alarmedAt > 0 && c.Start-a.alarmedAt < int64(alarmMemory) {
		level = schema.LevelTrip
	}
	a.alarmedAt = c.Start
	s, _ := c.State().(*crossRunState)
	if s == nil {
		s = &crossRunState{}
		c.Keep(s)
	}
	due := c.DecisionDue(&s.Progress, level, schema.FamilySplit, true)
	if s.Level == schema.LevelNone {
		s.OpenedAt = c.Start
	}
	s.Level, s.Closed = max(s.Level, level), false
	s.score, s.evidence = a.Score, a.Explain(&run.RunScore, c.Features.Route)
	s.exposure = schema.Exposure{Calls: run.Calls(), Irreversible: run.Touched.Irreversible}
	a.Reset()
	out := s.describe(c)
	if due {
		c.DecideTrip(&s.Progress, out)
	}
	c.Report(out)
}

func (s *crossRunState) describe(c *Judgment) *schema.Finding {
	out := c.NewFinding(schema.FamilySplit, &s.Progress)
	out.Score, out.Evidence, out.DelayCalls, out.Exposure = s.score, []schema.Contribution{s.evidence}, s.exposure.Calls, s.exposure
	if c.Baseline != nil {
		out.ExpectedRate, out.BeyondData = c.Baseline.Baseline.AcrossRuns.Calibration.P(s.score)
	}
	out.Summary = fmt.Sprintf("%s runs away over several runs (%s), none of which shows it alone%s", agentName(c.Run),
		wording.FeatureOf(s.evidence.Feature).Text, nowOn(": now ", c.Call))
	return out
}

// Close closes the finding with its run.
func (d *crossRunDetector) Close(c *Judgment) {
	if s, _ := c.State().(*crossRunState); s != nil && c.Baseline != nil && s.Open() {
		s.Closed = true
		c.Report(s.describe(c))
	}
}

// Code implements State.
func (a *crossRunActor) Code(c *wire.Coder) {
	a.ActorScore.Code(c)
	c.Int(&a.alarmedAt)
	if c.Version >= 10 {
		c.Int(&a.lastAt)
	}
}

// Code implements State.
func (s *crossRunState) Code(c *wire.Coder) {
	s.Progress.Code(c)
	c.Uint(&s.exposure.Calls)
	c.Uint(&s.exposure.Irreversible)
	c.Float(&s.score)
	e := &s.evidence
	c.Text(&e.Feature)
	for _, v := range [...]*schema.OptionalFloat{&e.Observed, &e.Usual, &e.Peers, &e.Humans, &e.Score} {
		f := float64(*v)
		c.Float(&f)
		*v = schema.OptionalFloat(f)
	}
	if !c.Encoding {
		e.Feature = strings.Clone(e.Feature)
	}
}
