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
	"flyball/schema/topic"
)

// splitAgain is how long an actor's alarm is remembered: the second within it trips.
// Each begins the count anew, so that they rest on different calls.
const splitAgain = 24 * time.Hour

// overRuns is what is kept of an actor across its runs.
type overRuns struct {
	score.Actor
	alarmedAt int64 // event time of the last alarm, Unix ns; 0: none
}

func (o *overRuns) code(c *topic.Coder) {
	o.Actor.Code(c)
	c.Int(&o.alarmedAt)
}

// split is where a run's finding stands that its actor runs away over several runs.
type split struct {
	finding
	over  schema.Exposure // calls of the run when it was found
	top   schema.Contribution
	score float64
}

func (s *split) code(c *topic.Coder) {
	s.finding.code(c)
	c.Uint(&s.over.Calls)
	c.Uint(&s.over.Irreversible)
	c.Float(&s.score)
	c.Text(&s.top.Feature)
	for _, v := range [...]*schema.Known{&s.top.Observed, &s.top.Usual, &s.top.Peers, &s.top.Humans, &s.top.Score} {
		f := float64(*v)
		c.Float(&f)
		*v = schema.Known(f)
	}
	if !c.Encoding {
		s.top.Feature = strings.Clone(s.top.Feature)
	}
}

// judgeActor takes in a call for its actor, and finds what the actor does over several
// runs, in the run whose call was one too many.
func (w *worker) judgeActor(ctx context.Context, r *stitch.Run, run *judged, step *feature.Step, c *schema.Call, at schema.CallRef) error {
	a, j := &judgedOf(r).over, &w.judging
	a.Add(&run.Run, step)
	if j.model == nil || a.Score <= j.actor || j.levels.Of(run.Score) >= schema.LevelAlert {
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
	due := s.Due(&j.rules, level, policy.Subject{Agent: r.AgentID, Trust: r.AgentTrust, Family: schema.FamilySplit}, c, true)
	if s.Level == schema.LevelNone {
		s.openedAt = c.Start
	}
	s.Level, s.closed = max(s.Level, level), false
	s.score, s.top, s.over = a.Score, a.Explain(&run.Run, j.call.Route), schema.Exposure{Calls: run.Calls(), Irreversible: run.Touched.Irreversible}
	a.Begin()
	out := w.describeSplit(r, run, c, at)
	if due {
		in := policy.Input{Finding: out, Run: &r.RunSnapshot, Call: c, Age: w.cfg.Now().Sub(time.Unix(0, c.Start)), TrippedBefore: w.state.Tripped(r, c.Start-int64(j.rules.TTL))}
		in.Tags, in.Criticality = w.cfg.About(r.AgentID)
		if d, ok := s.Decide(j.rules, in); ok {
			if level == schema.LevelTrip {
				r.TrippedAt = c.Start
			}
			out.Decided = &d
		}
		w.except(out, &s.finding)
	}
	return w.tell(ctx, out)
}

func (w *worker) describeSplit(r *stitch.Run, run *judged, c *schema.Call, at schema.CallRef) *schema.Finding {
	s := run.split
	out := &schema.Finding{
		ID: schema.FindingID(r.RunID, schema.FamilySplit), Version: at.Version(), Tenant: r.Tenant, RunID: r.RunID, RunKey: r.RunKey,
		AgentID: r.AgentID, AgentTrust: r.AgentTrust, CredentialID: r.CredentialID, PrincipalID: r.PrincipalID,
		Family: schema.FamilySplit, Level: s.Level, Exception: s.Exception, OpenedAt: s.openedAt, UpdateAt: c.Start, OnsetAt: s.openedAt, Call: at,
		Score: s.score, Evidence: []schema.Contribution{s.top}, DelayCalls: s.over.Calls, Exposure: s.over, Touched: run.Touched,
	}
	if m := w.judging.model; m != nil {
		out.Baseline = m.Body.Version
		out.ExpectedRate, out.Beyond = m.Body.Across.Calibration.P(s.score)
	}
	if s.closed {
		out.State = schema.FindingClosed
	}
	who := r.AgentID
	if who == "" {
		who = "an unnamed caller"
	}
	out.Summary = fmt.Sprintf("%s runs away over several runs (%s), none of which shows it alone: now %s", who, strings.ReplaceAll(s.top.Feature, "_", " "),
		strings.TrimSpace(feature.RouteName(c.Method, c.Route, c.Operation)))
	return out
}

// closeSplit closes the finding of a run that silence closed, at an offset of flyball.calls.
func (w *worker) closeSplit(ctx context.Context, r *stitch.Run, run *judged, offset int64) error {
	if run.split == nil || run.split.Level == schema.LevelNone || run.split.closed {
		return nil
	}
	run.split.closed = true
	out := w.describeSplit(r, run, &schema.Call{Start: r.LastAt}, schema.CallRef{Partition: w.part, Offset: offset, Item: 0x1ff})
	out.Reason = "the run is closed: no call for longer than its gap"
	return w.tell(ctx, out)
}

// codeSplit writes or reads the finding, which hardly any run has.
func (r *judged) codeSplit(c *topic.Coder) {
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
