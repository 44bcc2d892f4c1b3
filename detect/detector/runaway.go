package detector

import (
	"fmt"
	"strings"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/score"
	"flyball/schema"
	"flyball/schema/wire"
)

// runawayName is the detector's name in stored state.
const runawayName = "runaway"

// runawayDetector finds runs whose score in a family is rare among clean runs. Each family has a
// separate finding.
type runawayDetector struct{}

// minFindingChange is the smallest increase of a family's score, in natural logarithms of rarity,
// for which a new version of the finding is published. Above extremeScore it must also increase by a
// tenth: the score of a run that goes on and on increases at every call, and there would be as many
// events as calls. So a finding has a few hundred versions, whatever the length of the run.
const (
	minFindingChange = 2.3
	extremeScore     = 1000.0
)

// changed reports whether a score differs enough from the one that was published last.
func (p *Progress) changed(score float64) bool {
	if p.Reported > extremeScore {
		return score >= 1.1*p.Reported
	}
	return score >= p.Reported+minFindingChange
}

// runawayState holds the findings of a run by family. Few runs have one.
type runawayState struct{ families [score.NumFamilies]Progress }

// empty implements emptyState.
func (s *runawayState) empty() bool { return s.families == [score.NumFamilies]Progress{} }

// opened reports whether one of the findings was ever opened.
func (s *runawayState) opened() bool { return !s.empty() }

// Describe implements Detector.
func (*runawayDetector) Describe() Description {
	return Description{Name: runawayName, StateVersion: 9, NewRunState: func() State { return &runawayState{} }}
}

// Activate implements Detector: the model is that of the run's score.
func (*runawayDetector) Activate(*score.Model) {}

// Judge opens or updates the run's findings.
func (*runawayDetector) Judge(c *Judgment) {
	if c.Baseline == nil || c.Run.Level < schema.LevelAlert {
		return
	}
	s, _ := c.State().(*runawayState)
	if s == nil {
		s = &runawayState{}
		c.Keep(s)
	}
	for f := range score.Family(score.NumFamilies) {
		s.judge(c, f)
	}
}

func (s *runawayState) judge(c *Judgment, f score.Family) {
	p, value := &s.families[f], c.RunState.Families[f]
	level := c.Level(value)
	due := c.DecisionDue(p, level, f.String(), c.RunState.Rising(f))
	if level < schema.LevelAlert || !due && !p.changed(value) && !p.Closed {
		return
	}
	if p.Level == schema.LevelNone {
		p.OpenedAt = c.Start
	}
	p.Level, p.Reported, p.Closed = max(p.Level, level), value, false // another caller or baseline has other thresholds
	out := s.describe(c, f)
	if due {
		c.DecideTrip(p, out)
	}
	c.Report(out)
}

func (s *runawayState) describe(c *Judgment, f score.Family) *schema.Finding {
	p, run, body := &s.families[f], c.RunState, c.Baseline.Baseline
	agent := baseline.AgentKey(c.Run.AgentID, c.Run.AgentTrust)
	expected := body.Thresholds().Expected(run.Acquaintance(), agent, run.Reference.Group, p.Reported)
	out := c.NewFinding(f.String(), p)
	onset, onsetAt, exposure := run.Onset(f)
	out.OnsetAt, out.DelayCalls, out.Exposure = onsetAt, run.Calls()-onset+1, exposure
	out.Score, out.ExpectedRate, out.ExpectedOf, out.BeyondData = p.Reported, expected.Rate, expected.Basis, expected.Beyond
	out.ExpectedRuns = expected.Runs
	out.Evidence = run.Explain(f, c.Features.Route)
	out.Summary = summarizeRunaway(out, agentName(c.Run), c.Call)
	return out
}

// summarizeRunaway returns one sentence that describes the finding.
func summarizeRunaway(f *schema.Finding, who string, c *schema.Call) string {
	now, n := nowOn(", now ", c), f.Exposure.Calls
	switch f.Family {
	case schema.FamilyLoop:
		return fmt.Sprintf("%s repeats calls with the same answer: %d calls since it began%s", who, n, now)
	case schema.FamilyRetry:
		return fmt.Sprintf("%s goes on calling what fails: %d calls since it began%s", who, n, now)
	case schema.FamilySweep:
		return fmt.Sprintf("%s walks through resources one by one: %d calls since it began%s", who, n, now)
	case schema.FamilyDestroy:
		return fmt.Sprintf("%s deletes: %d calls since it began, %d of them irreversible%s", who, n, f.Exposure.Irreversible, now)
	case schema.FamilyFanout:
		return fmt.Sprintf("%s calls one route after another as its peers never do: %d calls since it began%s", who, n, now)
	case schema.FamilyExfiltration:
		return fmt.Sprintf("%s is given far more data than its runs are: in %d calls so far%s", who, n, now)
	case schema.FamilyHijack:
		return fmt.Sprintf("%s writes where its peers hardly ever do: %d calls since it began%s", who, n, now)
	}
	return fmt.Sprintf("%s makes far more calls than its runs do: %d so far%s", who, n, now)
}

// nowOn returns the route that is called now, after some words; empty: the run has ended, and no call is the reason of the report.
func nowOn(words string, c *schema.Call) string {
	if route := strings.TrimSpace(feature.RouteName(c.Method, c.Route, c.Operation)); route != "" {
		return words + route
	}
	return ""
}

// Close closes the findings of all families with their run.
func (*runawayDetector) Close(c *Judgment) {
	s, _ := c.State().(*runawayState)
	if s == nil || c.Baseline == nil {
		return
	}
	for f := range score.Family(score.NumFamilies) {
		if p := &s.families[f]; p.Level >= schema.LevelAlert && !p.Closed {
			p.Closed = true
			c.Report(s.describe(c, f))
		}
	}
}

// Code implements State.
func (s *runawayState) Code(c *wire.Coder) {
	families := s.families[:]
	switch { // older versions had fewer families
	case c.Version < 4:
		families = families[:5]
	case c.Version < 5:
		families = families[:7]
	}
	for i := range families {
		families[i].Code(c)
	}
}
