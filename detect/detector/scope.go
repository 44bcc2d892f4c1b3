package detector

import (
	"fmt"
	"math/bits"
	"strings"

	"flyball/detect/feature"
	"flyball/detect/model/scope"
	"flyball/detect/score"
	"flyball/schema"
	"flyball/schema/wire"
	"flyball/schema/wording"
)

// scopeName is the detector's name in stored state.
const scopeName = "scope"

// scopeDetector finds writes outside the learned scope of their caller. A read outside is only
// counted in the run's finding, if there is one.
type scopeDetector struct {
	off     bool
	metrics *Metrics
	guard   *scope.Guard // nil: no scope is known
	call    scope.Access
}

// scopeState holds what a run did outside its scope. It is made when there is something to store.
type scopeState struct {
	Progress
	writes, sends, reads uint64 // calls outside: writes on other routes, writes to other targets, reads
	irreversible         uint64
	first                schema.CallRef
	firstAt              int64 // its event time, Unix ns
	route                string
	answer               scope.Assessment // of the first

	declaredBefore declaredTask // from an entry up to version 8, only while it is decoded
}

// outside returns how many calls would have been held.
func (s *scopeState) outside() uint64 { return s.writes + s.sends }

// empty implements emptyState.
func (s *scopeState) empty() bool {
	return s.outside() == 0 && s.reads == 0 && s.Progress == (Progress{}) && s.declaredBefore == (declaredTask{})
}

// Describe implements Detector.
func (*scopeDetector) Describe() Description {
	return Description{Name: scopeName, StateVersion: 9, NewRunState: func() State { return &scopeState{} }}
}

// Activate implements Detector.
func (d *scopeDetector) Activate(m *score.Model) {
	d.guard = nil
	if m != nil && !d.off {
		d.guard = scope.NewGuard(m.Baseline.Scopes)
	}
}

// Judge compares a call with the learned scope of its caller.
func (d *scopeDetector) Judge(c *Judgment) {
	if d.guard == nil {
		return
	}
	run := c.RunState
	scope.FromCall(c.Call, c.Features, &d.call)
	a := d.guard.Assess(scope.Query{Agent: run.Reference.Agent, Group: run.Reference.Group, Declared: run.DeclaredTask(),
		Logged: c.TaskID, Trust: c.TaskTrust, Access: &d.call})
	switch {
	case a.Placement == scope.Abstain && d.call.Write:
		d.metrics.scopeAbstained.WithLabelValues(a.Why).Inc()
		return
	case a.Placement == scope.ReadOutside && (c.State() != nil || run.declared != nil):
		scopeStateOf(c).reads++
		return
	case !a.Placement.NeedsApproval():
		return
	}
	d.metrics.scopeHolds.WithLabelValues(a.Placement.RuleName(), a.Source).Inc()
	s := scopeStateOf(c)
	s.add(c, a)
	if !s.Closed && bits.OnesCount64(s.outside()) != 1 {
		return // the finding is published at the first call and when the number has doubled
	}
	due := c.DecisionDue(&s.Progress, schema.LevelAlert, schema.FamilyScope, true)
	if s.Level == schema.LevelNone {
		s.OpenedAt = c.Start
	}
	s.Level, s.Closed = schema.LevelAlert, false
	out := s.describe(c)
	if due {
		c.Decide(&s.Progress, out)
	}
	c.Report(out)
}

// scopeStateOf returns the detector's state of the run. It is made if there is none.
func scopeStateOf(c *Judgment) *scopeState {
	s, _ := c.State().(*scopeState)
	if s == nil {
		s = &scopeState{}
		c.Keep(s)
	}
	return s
}

// add counts a call outside the scope.
func (s *scopeState) add(c *Judgment, a scope.Assessment) {
	if s.outside() == 0 {
		s.first, s.firstAt, s.answer = c.At, c.Start, a
		s.route = strings.TrimSpace(feature.RouteName(c.Method, c.RouteKey, c.Operation))
	}
	if a.Placement == scope.WriteOutside {
		s.writes++
	} else {
		s.sends++
	}
	if c.Reversibility == schema.Irreversible {
		s.irreversible++
	}
}

func (s *scopeState) describe(c *Judgment) *schema.Finding {
	out := c.NewFinding(schema.FamilyScope, &s.Progress)
	out.OnsetAt, out.DelayCalls = s.firstAt, 1
	out.Exposure = schema.Exposure{Calls: s.outside(), Irreversible: s.irreversible}
	first := unmeasured("scope."+s.answer.Placement.String()+" "+s.route, schema.OptionalFloat(s.outside()), 0)
	first.Calls = []string{s.first.String()}
	out.Evidence = append(out.Evidence, first, unmeasured("scope.taught_by "+s.answer.Source, schema.OptionalFloat(s.answer.Runs),
		schema.Unknown))
	if s.reads > 0 {
		out.Evidence = append(out.Evidence, unmeasured("scope.read_outside", schema.OptionalFloat(s.reads), 0))
	}
	what := "writes on a route"
	if s.answer.Placement == scope.TargetOutside {
		what = "writes to a target"
	}
	taught := uint64(s.answer.Runs)
	out.Summary = fmt.Sprintf("%s %s that none of %d %s has used: %s, %s so far; each would have been held", agentName(c.Run), what,
		taught, wording.Source(s.answer.Source, taught), s.route, wording.Figure(float64(s.outside()), wording.Calls))
	return out
}

// Close closes the finding with its run.
func (d *scopeDetector) Close(c *Judgment) {
	if s, _ := c.State().(*scopeState); s != nil && s.Open() {
		s.Closed = true
		c.Report(s.describe(c))
	}
}

// Code implements State.
func (s *scopeState) Code(c *wire.Coder) {
	s.Progress.Code(c)
	if c.Version < FirstStateVersion {
		c.Text(&s.declaredBefore.taskType)
		c.Bool(&s.declaredBefore.targets)
	}
	for _, n := range []*uint64{&s.writes, &s.sends, &s.reads, &s.irreversible} {
		c.Uint(n)
	}
	wire.CodeCallRef(c, &s.first)
	c.Int(&s.firstAt)
	c.Text(&s.route)
	wire.Small(c, &s.answer.Placement)
	c.Text(&s.answer.Source)
	wire.Num(c, &s.answer.Runs)
	if c.Encoding {
		return
	}
	s.declaredBefore.taskType = strings.Clone(s.declaredBefore.taskType)
	s.route, s.answer.Source = strings.Clone(s.route), strings.Clone(s.answer.Source)
	if s.answer.Placement > scope.WriteOutside {
		c.Refuse("a place outside every scope")
	}
}
