package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/baseline"
	"flyball/detect/calibrate"
	"flyball/detect/feature"
	"flyball/detect/policy"
	"flyball/detect/scope"
	"flyball/detect/score"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/topic"
)

// judge scores calls in the order of the log and says what follows: findings,
// decisions, trips. It is part of one worker and used by its goroutine alone.
type judge struct {
	rules     policy.Rules
	tripShare float64 // share of clean runs that may trip
	model     *score.Model
	levels    calibrate.Levels
	actor     float64 // score from which an actor is alerted on
	call      feature.Call
	closed    []*stitch.Run
	people    suspicions

	unscoped bool // learned scopes are not looked at
	guard    *scope.Guard
	scoped   scope.Call
}

// use makes a baseline the one to score by from the next call on.
func (j *judge) use(b *baseline.Body) {
	j.guard = nil
	if b == nil {
		j.model = nil
		j.people.use(nil)
		return
	}
	if !j.unscoped {
		j.guard = scope.NewGuard(b.Scopes)
	}
	j.model = score.NewModel(b)
	j.people.use(b.People)
	j.levels, j.actor = b.Calibration.Levels(j.tripShare), b.Across.Calibration.Threshold(calibrate.ActorShare)
}

// judged is what the judge keeps of a run.
type judged struct {
	score.Run
	agent string // whose Who it is, with its trust and kind
	trust schema.Trust
	kind  schema.CallerKind

	told     float64                   // score of the last row in scores
	findings *[score.NFamilies]finding // nil: none
	suspect  *suspect                  // of a run in a person's name
	pace     *paceFinding              // nil: none
	split    *split                    // nil: none

	outside  *outside
	conflict *conflict
}

// finding is where a finding of a run stands.
type finding struct {
	policy.Course
	told     float64 // score of the last version
	openedAt int64
	closed   bool
}

// Code implements stitch.Attachment.
func (r *judged) Code(c *topic.Coder) {
	r.Run.Code(c)
	c.Float(&r.told)
	r.codeFindings(c)
	if c.Version >= 5 {
		codeSuspect(c, &r.suspect)
	}
	r.codePace(c)
	if c.Version >= 6 {
		r.codeSplit(c)
	}
	if c.Version >= 7 {
		r.codeOutside(c)
		r.codeConflict(c)
	}
}

// codeFindings writes or reads the findings of all families, which hardly any run has.
func (r *judged) codeFindings(c *topic.Coder) {
	var all [score.NFamilies]finding
	if r.findings != nil {
		all = *r.findings
	}
	findings := all[:]
	if c.Version < 5 {
		findings = findings[:7]
	}
	if c.Version < 4 {
		findings = findings[:5] // there were fewer families
	}
	for i := range findings {
		findings[i].code(c)
	}
	if !c.Encoding && all != [score.NFamilies]finding{} {
		r.findings = &all
	}
}

func (f *finding) code(c *topic.Coder) {
	topic.Small(c, &f.Level)
	c.Float(&f.told)
	c.Int(&f.openedAt)
	c.Bool(&f.closed)
	topic.Num(c, &f.Decisions)
	c.Int(&f.DecidedAt)
	f.codeException(c)
}

// Steps of the score, in natural logarithms of rarity, from which a change is told.
const (
	scoreStep   = 1.15
	leastScored = 2.3
	findingStep = 2.3
)

// byFlyball reports a call that never reached the API because of a decision of
// ours: it is no evidence of what the run does to the API.
func byFlyball(c *schema.Call) bool {
	return c.ObserverKind == schema.ObserverGate || c.Outcome == schema.OutcomeDenied && (c.DeniedBy == "flyball" || c.DeniedBy == "ext_authz")
}

// judge takes in a stitched call.
func (w *worker) judge(ctx context.Context, r *stitch.Run, c *schema.Call, at schema.CallRef) error {
	if c.ObserverKind == schema.ObserverGate {
		asked(r, c)
	}
	if c.Again || byFlyball(c) || c.SampleWeight > 1 {
		return nil // one call is judged once; a sampled source misses calls: what counts every call abstains
	}
	j := &w.judging
	run, _ := r.Attached.(*judged)
	if run == nil {
		run = &judged{}
		r.Attached = run
	}
	if err := w.identified(ctx, r, run, c, at); err != nil {
		return err
	}
	who := run.Who
	if run.agent != r.AgentID || who.Version != r.AgentVersion || run.trust != r.AgentTrust || run.kind != r.CallerKind || who.Group == "" {
		run.agent, run.trust, run.kind = r.AgentID, r.AgentTrust, r.CallerKind
		who = score.Who{Agent: baseline.AgentKey(r.AgentID, r.AgentTrust), Group: baseline.PeerGroup(r.AgentID, r.CallerKind), Version: r.AgentVersion}
	}
	feature.Of(c, &j.call)
	before := run.Score
	step := run.Add(j.model, who, &j.call, c.Start, c.Reversibility)
	if err := w.judgePace(ctx, r, run, c, at); err != nil {
		return err
	}
	if err := w.suspect(ctx, r, run, &step, c, at); err != nil {
		return err
	}
	if err := w.judgeActor(ctx, r, run, &step, c, at); err != nil {
		return err
	}
	if j.model == nil {
		return nil
	}
	run.Carry(at)
	if err := w.scoped(ctx, r, run, c, at); err != nil {
		return err
	}
	r.Score, r.Level = run.Score, j.levels.Of(run.Score)
	if run.Score > before && run.Score >= leastScored && run.Score >= run.told+scoreStep {
		run.told = run.Score
		w.journal.score(&schema.Score{Tenant: r.Tenant, RunID: r.RunID, At: c.Start, Call: at, Value: run.Score, Level: r.Level,
			Baseline: j.model.Body.Version, Top: run.Explain(run.Top(), j.call.Route)})
	}
	if r.Level < schema.LevelAlert {
		return nil
	}
	if run.findings == nil {
		run.findings = new([score.NFamilies]finding)
	}
	for f := range score.Family(score.NFamilies) {
		if err := w.find(ctx, r, run, f, c, at); err != nil {
			return err
		}
	}
	return nil
}

// find opens or updates the run's finding of a family and acts on it.
func (w *worker) find(ctx context.Context, r *stitch.Run, run *judged, f score.Family, c *schema.Call, at schema.CallRef) error {
	j, s, have := &w.judging, run.Families[f], &run.findings[f]
	level := j.levels.Of(s)
	due := have.Due(&j.rules, level, policy.Subject{Agent: r.AgentID, Trust: r.AgentTrust, Family: f.String()}, c, run.Rising(f))
	if level < schema.LevelAlert || !(due || s >= have.told+findingStep || have.closed) {
		return nil
	}
	if have.Level == 0 {
		have.openedAt = c.Start
	}
	have.Level, have.told, have.closed = level, s, false
	out := w.describe(r, run, f, c, at)
	if due {
		in := policy.Input{Finding: out, Run: &r.RunSnapshot, Call: c, Age: w.cfg.Now().Sub(time.Unix(0, c.Start)),
			TrippedBefore: w.state.Tripped(r, c.Start-int64(j.rules.TTL))}
		in.Tags, in.Criticality = w.cfg.About(r.AgentID)
		d, ok := have.Decide(j.rules, in)
		if ok {
			if level == schema.LevelTrip {
				r.TrippedAt = c.Start
			}
			out.Decided = &d
		}
		w.except(out, have)
	}
	return w.tell(ctx, out)
}

func (w *worker) describe(r *stitch.Run, run *judged, f score.Family, c *schema.Call, at schema.CallRef) *schema.Finding {
	j, have := &w.judging, &run.findings[f]
	body := j.model.Body
	expected := body.Ranks.Expected(&body.Calibration, baseline.AgentKey(r.AgentID, r.AgentTrust), run.Who.Group, have.told)
	onset, onsetAt, exposure := run.Onset(f)
	out := &schema.Finding{
		ID: schema.FindingID(r.RunID, f.String()), Version: at.Version(), Tenant: r.Tenant, RunID: r.RunID, RunKey: r.RunKey,
		AgentID: r.AgentID, AgentTrust: r.AgentTrust, CredentialID: r.CredentialID, PrincipalID: r.PrincipalID,
		Family: f.String(), Level: have.Level, Exception: have.Exception, OpenedAt: have.openedAt, UpdateAt: c.Start, OnsetAt: onsetAt, Call: at,
		Score: have.told, ExpectedRate: expected.Rate, ExpectedOf: expected.Of, Beyond: expected.Beyond, Baseline: body.Version,
		Evidence: run.Explain(f, j.call.Route), DelayCalls: run.Calls() - onset + 1, Exposure: exposure, Touched: run.Touched,
	}
	if have.closed {
		out.State = schema.FindingClosed
	}
	out.Summary = summary(out, c)
	return out
}

// summary says in one sentence what happened.
func summary(f *schema.Finding, c *schema.Call) string {
	who := f.AgentID
	if who == "" {
		who = "an unnamed caller"
	}
	route := strings.TrimSpace(feature.RouteName(c.Method, c.Route, c.Operation))
	n := f.Exposure.Calls
	switch f.Family {
	case schema.FamilyLoop:
		return fmt.Sprintf("%s repeats calls with the same answer: %d calls since it began, now %s", who, n, route)
	case schema.FamilyRetry:
		return fmt.Sprintf("%s goes on calling what fails: %d calls since it began, now %s", who, n, route)
	case schema.FamilySweep:
		return fmt.Sprintf("%s walks through resources one by one: %d calls since it began, now %s", who, n, route)
	case schema.FamilyDestroy:
		return fmt.Sprintf("%s deletes: %d calls since it began, %d of them irreversible, now %s", who, n, f.Exposure.Irreversible, route)
	}
	if f.Family == schema.FamilyFanout {
		return fmt.Sprintf("%s calls one route after another as its peers never do: %d calls since it began, now %s", who, n, route)
	}
	if f.Family == schema.FamilyExfiltration {
		return fmt.Sprintf("%s is given far more data than its runs are: in %d calls so far, now %s", who, n, route)
	}
	return fmt.Sprintf("%s makes far more calls than its runs do: %d so far, now %s", who, n, route)
}

// tell writes a version of a finding, and the trip that was decided with it.
func (w *worker) tell(ctx context.Context, f *schema.Finding) error {
	event := schema.FindingEvent(f)
	value, err := topic.EncodeEvent(&event)
	if err != nil {
		return fmt.Errorf("finding %s: %w", f.ID, err)
	}
	w.m.findings.WithLabelValues(f.Family, f.Level.String()).Inc()
	w.produce(ctx, &kgo.Record{Topic: topic.EventsTopic, Partition: w.part, Key: []byte(f.ID), Value: value})
	if f.Decided == nil {
		return w.checkpoint.err()
	}
	w.cfg.Stage("detect.finding|command")
	d := f.Decided
	command := schema.Command{ID: d.ID, Kind: schema.CommandTrip, Tenant: f.Tenant, Scope: d.Scope, By: "detect", Reason: d.Reason, TTL: d.TTL,
		Decision: d, Exposure: f.Exposure, ActiveAgents: int(w.active.Load())}
	if value, err = topic.EncodeCommand(&command); err != nil {
		return fmt.Errorf("decision %s: %w", d.ID, err)
	}
	w.m.decisions.WithLabelValues(d.Mode.String(), d.Why).Inc()
	w.produce(ctx, &kgo.Record{Topic: topic.CommandsTopic, Value: value})
	return w.checkpoint.err()
}

// closeFindings closes the findings of runs that silence closed, at an offset
// of flyball.calls.
func (w *worker) closeFindings(ctx context.Context, offset int64) error {
	j := &w.judging
	j.closed = w.state.TakeClosed(j.closed[:0])
	defer clear(j.closed)
	for _, r := range j.closed {
		run, _ := r.Attached.(*judged)
		if run == nil {
			continue
		}
		if err := w.closeSuspicion(ctx, r, run, offset); err != nil {
			return err
		}
		over := schema.CallRef{Partition: w.part, Offset: offset, Item: 0x1ff}
		if err := w.closeScope(ctx, r, run, over); err != nil {
			return err
		}
		if err := w.closeConflict(ctx, r, run, over); err != nil {
			return err
		}
		if j.model == nil {
			continue
		}
		if err := w.closeSplit(ctx, r, run, offset); err != nil {
			return err
		}
		if err := w.closePace(ctx, r, run, offset); err != nil {
			return err
		}
		if run.findings == nil {
			continue
		}
		for f := range score.Family(score.NFamilies) {
			have := &run.findings[f]
			if have.Level < schema.LevelAlert || have.closed {
				continue
			}
			have.closed = true
			out := w.describe(r, run, f, &schema.Call{Start: r.LastAt}, over)
			out.Reason = "the run is closed: no call for longer than its gap"
			if err := w.tell(ctx, out); err != nil {
				return err
			}
		}
	}
	return nil
}
