package detector

import (
	"fmt"
	"math"
	"time"

	"github.com/cespare/xxhash/v2"

	"flyball/detect/model/calibrate"
	"flyball/detect/model/callrate"
	"flyball/detect/score"
	"flyball/schema"
	"flyball/schema/wire"
	"flyball/schema/wording"
)

// callRateName is the detector's name in stored state.
const callRateName = "callrate"

// callRateDetector finds actors that make far more calls in a quarter of an hour than they usually
// make in that hour of the week. The finding belongs to the run whose call exceeds the limit. The
// detector is a backstop: it alerts and never trips. It abstains where nothing was learned of the
// agent and its peers.
type callRateDetector struct {
	metrics    *Metrics
	falseTrips float64 // accepted share of false findings among quarters of an hour of clean actors
	rates      *callrate.Model
}

// callRateState is a run's finding.
type callRateState struct {
	Progress
	score   float64
	quarter int64           // number of the quarter of an hour
	from    int64           // event time of its first call, Unix ns
	calls   schema.Exposure // of the actor in it
}

// callRateActor is the state of an actor: its counts, and the last report.
type callRateActor struct {
	counts callrate.Counter
	last   rateReport
}

// rateReport holds the quarter of an hour that was reported last, and the number of calls at the
// report.
type rateReport struct {
	quarter int64
	calls   uint64
}

// shouldReport reports whether a count of calls must be reported. A rate that continues in the next
// quarter is reported again when it has doubled.
func (r *rateReport) shouldReport(k *callrate.Count, limit uint64) bool {
	if r.calls > 0 && k.Quarter >= r.quarter-1 && k.Quarter <= r.quarter+1 {
		if k.N >= limit {
			r.quarter = max(r.quarter, k.Quarter)
		}
		return k.N >= max(limit, 2*r.calls)
	}
	return k.N >= limit
}

// Describe implements Detector.
func (*callRateDetector) Describe() Description {
	return Description{Name: callRateName, StateVersion: 9,
		NewRunState: func() State { return &callRateState{} }, NewActorState: func() State { return &callRateActor{} }}
}

// Activate implements Detector.
func (d *callRateDetector) Activate(m *score.Model) {
	d.rates = nil
	if m != nil {
		d.rates = m.Baseline.CallRates
	}
}

// Judge counts a call of the run's actor. It also counts while there is no baseline to compare
// with.
func (d *callRateDetector) Judge(c *Judgment) {
	who := &c.RunState.Reference
	a := c.ActorState().(*callRateActor)
	k := a.counts.Add(xxhash.Sum64String(who.Agent), c.Start, c.Reversibility == schema.Irreversible)
	if k == nil || k.N < callrate.MinCalls {
		return
	}
	if k.N == callrate.MinCalls { // once for each quarter of an hour
		if why := d.rates.Abstains(who.Agent, who.Group); why != "" {
			d.metrics.paceAbstained.WithLabelValues(why).Inc()
		}
	}
	limit, ok := k.Limit(d.rates, who.Agent, who.Group, d.falseTrips)
	if !ok || !a.last.shouldReport(k, limit) {
		return
	}
	a.last = rateReport{k.Quarter, k.N}
	s, _ := c.State().(*callRateState)
	if s == nil {
		s = &callRateState{}
		c.Keep(s)
	}
	if s.OpenedAt == 0 {
		s.OpenedAt = c.Start
	}
	usual := d.rates.UsualAt(who.Agent, who.Group, callrate.HourOfWeek(k.Quarter))
	s.Level, s.Closed, s.score = schema.LevelAlert, false, usual.Score(k.N)
	s.quarter, s.from, s.calls = k.Quarter, k.From, schema.Exposure{Calls: k.N, Irreversible: k.Irreversible}
	out := d.describe(c, s)
	if c.DecideByRule(out, s.Decisions) { // an operator's rule that grades alerts
		s.Decisions++
	}
	c.Report(out)
}

func (d *callRateDetector) describe(c *Judgment, s *callRateState) *schema.Finding {
	out := c.NewFinding(schema.FamilyPace, &s.Progress)
	out.OnsetAt, out.Score, out.DelayCalls, out.Exposure = s.from, s.score, s.calls.Calls, s.calls
	evidence := unmeasured("calls_in_quarter_hour", schema.OptionalFloat(s.calls.Calls), schema.Unknown)
	evidence.Score = schema.OptionalFloat(calibrate.RoundDigits(s.score))
	who := c.RunState.comparedAs(c.Run) // the reference of a restored run without a call is empty
	usual := d.rates.ShownAt(who.Agent, who.Group, callrate.HourOfWeek(s.quarter))
	out.Acquaintance = d.rates.Acquaintance(who.Agent, who.Group)
	evidence.Usual, evidence.UsualOf, evidence.Peers = shortened(usual.Calls), usual.Of, shortened(usual.Peers)
	usually := "usually " + wording.Figure(usual.Calls, wording.Calls) + " at that hour"
	if evidence.Usual.IsZero() {
		usually = "what is usual at that hour is not known, " + wording.NothingLearned
	}
	if d.rates.Abstains(who.Agent, who.Group) == "" {
		out.ExpectedRate, out.BeyondData = d.rates.Calibration.P(s.score)
	} else { // another baseline is active than the one by which the finding was opened
		out.ExpectedOf = callrate.WhyNothingLearned
	}
	out.Evidence = []schema.Contribution{evidence}
	out.Summary = fmt.Sprintf("%s makes far more calls than at this time of the week: %d in the quarter of an hour from %s UTC, %s%s",
		agentName(c.Run), s.calls.Calls, time.Unix(0, callrate.QuarterStart(s.quarter)).UTC().Format("15:04"), usually, nowOn(", now ", c.Call))
	return out
}

// shortened returns a number with four digits for display; NaN stays unknown.
func shortened(x float64) schema.OptionalFloat {
	if math.IsNaN(x) {
		return schema.Unknown
	}
	return schema.OptionalFloat(calibrate.RoundDigits(x))
}

// Close closes the finding with its run.
func (d *callRateDetector) Close(c *Judgment) {
	if s, _ := c.State().(*callRateState); s != nil && c.Baseline != nil && s.OpenedAt > 0 && !s.Closed {
		s.Closed = true
		c.Report(d.describe(c, s))
	}
}

// empty implements emptyState.
func (s *callRateState) empty() bool { return s.OpenedAt == 0 }

// Code implements State.
func (s *callRateState) Code(c *wire.Coder) {
	c.Int(&s.OpenedAt)
	if s.OpenedAt == 0 {
		return
	}
	c.Bool(&s.Closed)
	s.Level = schema.LevelAlert
	wire.Num(c, &s.Decisions)
	c.Float(&s.score)
	c.Int(&s.quarter)
	c.Int(&s.from)
	c.Uint(&s.calls.Calls)
	c.Uint(&s.calls.Irreversible)
}

// Code implements State.
func (a *callRateActor) Code(c *wire.Coder) {
	a.counts.Code(c)
	c.Int(&a.last.quarter)
	c.Uint(&a.last.calls)
}
