package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"flyball/detect/feature"
	"flyball/detect/model/callrate"
	"flyball/detect/policy"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// tooFast is what was last told of an actor that calls too fast: of which quarter of
// an hour, and after how many calls.
type tooFast struct {
	quarter int64
	calls   uint64
}

// tells reports whether so many calls are to be told of. What goes on from one quarter
// to the next is told of again when it has doubled.
func (f *tooFast) tells(k *callrate.Count, limit uint64) bool {
	if f.calls > 0 && k.Quarter >= f.quarter-1 && k.Quarter <= f.quarter+1 {
		if k.N >= limit {
			f.quarter = max(f.quarter, k.Quarter)
		}
		return k.N >= max(limit, 2*f.calls)
	}
	return k.N >= limit
}

func (f *tooFast) code(c *wire.Coder) {
	c.Int(&f.quarter)
	c.Uint(&f.calls)
}

// paceFinding is where a run's finding that its actor calls too fast stands.
type paceFinding struct {
	finding
	score   float64
	quarter int64
	from    int64           // first call of the quarter
	calls   schema.Exposure // of the actor in the quarter
}

// codePace writes or reads the finding, which hardly any run has.
func (r *judged) codePace(c *wire.Coder) {
	if c.Version < 6 {
		return
	}
	p := r.pace
	if p == nil {
		p = &paceFinding{}
	}
	c.Int(&p.openedAt)
	if p.openedAt == 0 {
		return
	}
	r.pace = p
	c.Bool(&p.closed)
	p.Level = schema.LevelAlert
	wire.Num(c, &p.Decisions)
	c.Float(&p.score)
	c.Int(&p.quarter)
	c.Int(&p.from)
	c.Uint(&p.calls.Calls)
	c.Uint(&p.calls.Irreversible)
}

// judgePace counts a call of the run's actor and finds that the actor makes far more
// in a quarter of an hour than it does in that hour of the week. The run whose call is
// one too many has the finding. It is a backstop: it alerts and never trips.
func (w *worker) judgePace(ctx context.Context, r *stitch.Run, run *judged, c *schema.Call, at schema.CallRef) error {
	a, j := judgedOf(r), &w.judging
	k := a.pace.Add(xxhash.Sum64String(run.Reference.Agent), c.Start, c.Reversibility == schema.Irreversible)
	if k == nil || k.N < callrate.MinCalls || j.model == nil {
		return nil
	}
	pace := j.model.Baseline.CallRates
	limit, ok := k.Limit(pace, run.Reference.Agent, run.Reference.Group, j.tripShare)
	if !ok || !a.fast.tells(k, limit) {
		return nil
	}
	a.fast = tooFast{k.Quarter, k.N}
	if run.pace == nil {
		run.pace = &paceFinding{}
	}
	have := run.pace
	if have.openedAt == 0 {
		have.openedAt = c.Start
	}
	usual := pace.UsualAt(run.Reference.Agent, run.Reference.Group, callrate.HourOfWeek(k.Quarter))
	have.Level, have.closed, have.score = schema.LevelAlert, false, usual.Score(k.N)
	have.quarter, have.from, have.calls = k.Quarter, k.From, schema.Exposure{Calls: k.N, Irreversible: k.Irreversible}
	out := w.describePace(r, run, c, at)
	in := w.about(r, out, c)
	in.EarlierDecisions = int(have.Decisions)
	if d, ok := policy.Decide(j.rules, in); ok { // an operator's rule that grades alerts
		have.Decisions++
		out.Decision = &d
	}
	return w.tell(ctx, r, out)
}

func (w *worker) describePace(r *stitch.Run, run *judged, c *schema.Call, at schema.CallRef) *schema.Finding {
	body, have := w.judging.model.Baseline, run.pace
	out := w.findingOf(r, schema.FamilyPace, &have.finding, c, at)
	out.OnsetAt, out.Score, out.DelayCalls, out.Exposure = have.from, have.score, have.calls.Calls, have.calls
	of := schema.Contribution{Feature: "calls_in_quarter_hour", Observed: schema.OptionalFloat(have.calls.Calls), Usual: schema.Unknown, Peers: schema.Unknown, Humans: schema.Unknown, Score: schema.OptionalFloat(callrate.Round(have.score))}
	usually := ""
	if pace := body.CallRates; pace != nil { // it may be gone in the baseline of today
		out.ExpectedRate, out.BeyondData = pace.Calibration.P(have.score)
		u := pace.UsualAt(run.Reference.Agent, run.Reference.Group, callrate.HourOfWeek(have.quarter))
		of.Usual, of.Peers = schema.OptionalFloat(callrate.Round(u.Calls)), schema.OptionalFloat(callrate.Round(u.Peers))
		usually = fmt.Sprintf(", usually %.3g at that hour", u.Calls)
	}
	out.Evidence = []schema.Contribution{of}
	out.Summary = fmt.Sprintf("%s makes far more calls than at this time of the week: %d in the quarter of an hour from %s UTC%s, now %s", nameOf(r), have.calls.Calls,
		time.Unix(0, callrate.QuarterStart(have.quarter)).UTC().Format("15:04"), usually, strings.TrimSpace(feature.RouteName(c.Method, c.Route, c.Operation)))
	return out
}

// closePace closes the finding of a run that silence closed.
func (w *worker) closePace(ctx context.Context, r *stitch.Run, run *judged, over schema.CallRef) error {
	have := run.pace
	if have == nil || have.openedAt == 0 || have.closed {
		return nil
	}
	have.closed = true
	return w.tell(ctx, r, w.describePace(r, run, &schema.Call{Start: r.LastAt}, over))
}
