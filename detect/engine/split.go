package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"flyball/detect/feature"
	"flyball/detect/policy"
	"flyball/detect/score"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// splitAgain is how long an actor's alarm is remembered: the second within it trips.
// Each begins the count anew, so that they rest on different calls.
const splitAgain = 24 * time.Hour

// overRuns is what is kept of an actor across its runs.
type overRuns struct {
	score.ActorScore
	alarmedAt int64 // event time of the last alarm, Unix ns; 0: none
}

func (o *overRuns) code(c *wire.Coder) {
	o.ActorScore.Code(c)
	c.Int(&o.alarmedAt)
}

// split is where a run's finding stands that its actor runs away over several runs.
type split struct {
	finding
	over  schema.Exposure // calls of the run when it was found
	top   schema.Contribution
	score float64
}

func (s *split) code(c *wire.Coder) {
	s.finding.code(c)
	c.Uint(&s.over.Calls)
	c.Uint(&s.over.Irreversible)
	c.Float(&s.score)
	c.Text(&s.top.Feature)
	for _, v := range [...]*schema.OptionalFloat{&s.top.Observed, &s.top.Usual, &s.top.Peers, &s.top.Humans, &s.top.Score} {
		f := float64(*v)
		c.Float(&f)
		*v = schema.OptionalFloat(f)
	}
	if !c.Encoding {
		s.top.Feature = strings.Clone(s.top.Feature)
	}
}

// judgeActor takes in a call for its actor, and finds what the actor does over several
// runs, in the run whose call was one too many.
func (w *worker) judgeActor(ctx context.Context, r *stitch.Run, run *judged, step *feature.CallFeatures, c *schema.Call, at schema.CallRef) error {
	a, j := &judgedOf(r).over, &w.judging
	a.Add(&run.RunScore, step)
	if j.model == nil || a.Score <= j.actor || j.levels.For(run.Score) >= schema.LevelAlert {
		return nil // what a run shows alone is that run's finding
	}
	level := schema.LevelAlert
	if a.alarmedAt > 0 && c.Start-a.alarmedAt < int64(splitAgain) {
		level = schema.LevelTrip
	}
	a.alarmedAt = c.Start
	s := run.split
	if s == nil {
		s = &split{}
		run.split = s
	}
	due := s.DecisionDue(&j.rules, level, policy.Subject{Agent: r.AgentID, Trust: r.AgentTrust, Family: schema.FamilySplit}, c, true)
	if s.Level == schema.LevelNone {
		s.openedAt = c.Start
	}
	s.Level, s.closed = max(s.Level, level), false
	s.score, s.top, s.over = a.Score, a.Explain(&run.RunScore, j.call.Route), schema.Exposure{Calls: run.Calls(), Irreversible: run.Touched.Irreversible}
	a.Reset()
	out := w.describeSplit(r, run, c, at)
	if due {
		w.decide(r, &s.finding, out, c)
	}
	return w.tell(ctx, r, out)
}

func (w *worker) describeSplit(r *stitch.Run, run *judged, c *schema.Call, at schema.CallRef) *schema.Finding {
	s := run.split
	out := w.findingOf(r, schema.FamilySplit, &s.finding, c, at)
	out.Score, out.Evidence, out.DelayCalls, out.Exposure = s.score, []schema.Contribution{s.top}, s.over.Calls, s.over
	if m := w.judging.model; m != nil {
		out.ExpectedRate, out.BeyondData = m.Baseline.AcrossRuns.Calibration.P(s.score)
	}
	out.Summary = fmt.Sprintf("%s runs away over several runs (%s), none of which shows it alone: now %s", nameOf(r), strings.ReplaceAll(s.top.Feature, "_", " "),
		strings.TrimSpace(feature.RouteName(c.Method, c.Route, c.Operation)))
	return out
}

// closeSplit closes the finding of a run that silence closed.
func (w *worker) closeSplit(ctx context.Context, r *stitch.Run, run *judged, over schema.CallRef) error {
	if run.split == nil || run.split.Level == schema.LevelNone || run.split.closed {
		return nil
	}
	run.split.closed = true
	return w.tell(ctx, r, w.describeSplit(r, run, &schema.Call{Start: r.LastAt}, over))
}

// codeSplit writes or reads the finding, which hardly any run has.
func (r *judged) codeSplit(c *wire.Coder) {
	there := r.split != nil
	c.Bool(&there)
	if !there {
		return
	}
	if r.split == nil {
		r.split = &split{}
	}
	r.split.code(c)
}
