package detector

import (
	"fmt"

	"flyball/detect/score"
	"flyball/schema"
	"flyball/schema/wire"
)

// canaryName is the detector's name in stored state.
const canaryName = "canary"

// canaryCalls is the number of logged calls at which the canary's run trips. It depends on no baseline: the canary measures the path of a
// trip, not what is unusual.
const canaryCalls = 5

// canaryDetector trips the canary's runs. Calls that were only asked about do not count, so that a trip shows that lines of logs are read.
// No other detector sees calls of the canary's tenant.
type canaryDetector struct{}

type canaryState struct {
	Progress
	logged uint64
}

// Describe implements Detector.
func (canaryDetector) Describe() Description {
	return Description{Name: canaryName, StateVersion: 9, NewRunState: func() State { return &canaryState{} }}
}

// Activate implements Detector.
func (canaryDetector) Activate(*score.Model) {}

// Judge counts a logged call.
func (canaryDetector) Judge(c *Judgment) {
	if c.ObserverKind == schema.ObserverGate {
		return
	}
	s, _ := c.State().(*canaryState)
	if s == nil {
		s = &canaryState{}
		c.Keep(s)
	}
	if s.logged++; s.logged < canaryCalls || s.opened() {
		return
	}
	s.Level, s.OpenedAt = schema.LevelTrip, c.Start
	out := s.describe(c)
	s.Level = schema.LevelNone // Decide compares with what was decided before
	c.Decide(&s.Progress, out)
	c.Report(out)
}

func (s *canaryState) describe(c *Judgment) *schema.Finding {
	out := c.NewFinding(schema.FamilyCanary, &s.Progress)
	out.DelayCalls, out.Exposure = s.logged, schema.Exposure{Calls: s.logged}
	out.Evidence = append(out.Evidence, unmeasured("canary.calls", schema.OptionalFloat(s.logged), 0))
	out.Summary = fmt.Sprintf("the canary made its %d calls: this is a test of the path from a log line to a page", s.logged)
	return out
}

// Close closes the finding with its run.
func (canaryDetector) Close(c *Judgment) {
	if s, _ := c.State().(*canaryState); s != nil && s.Open() {
		s.Closed = true
		c.Report(s.describe(c))
	}
}

// empty implements emptyState.
func (s *canaryState) empty() bool { return s.logged == 0 }

// Code implements State.
func (s *canaryState) Code(c *wire.Coder) {
	s.Progress.Code(c)
	c.Uint(&s.logged)
}
