package engine

import (
	"context"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/detect/model/scope"
	"flyball/detect/policy"
	"flyball/detect/score"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// judge scores calls in the order of the log and says what follows: findings,
// decisions, trips. It is part of one worker and used by its goroutine alone.
type judge struct {
	rules     policy.Rules
	tripShare float64 // share of clean runs that may trip
	model     *score.Model
	levels    calibrate.Levels
	actor     float64 // score from which an actor is alerted on
	call      feature.Input
	closed    []*stitch.Run
	people    suspicions

	unscoped bool // learned scopes are not looked at
	guard    *scope.Guard
	scoped   scope.Access
}

// use makes a baseline the one to score by from the next call on.
func (j *judge) use(b *baseline.Baseline) {
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
	j.levels, j.actor = b.Calibration.Levels(j.tripShare), b.AcrossRuns.Calibration.Threshold(calibrate.ActorShare)
}

// judged is what the judge keeps of a run.
type judged struct {
	score.RunScore
	agent string // whose Who it is, with its trust and kind
	trust schema.Trust
	kind  schema.CallerKind

	told     float64                     // score of the last row in scores
	findings *[score.NumFamilies]finding // nil: none
	suspect  *suspect                    // of a run in a person's name
	pace     *paceFinding                // nil: none
	split    *split                      // nil: none

	outside  *outside
	conflict *conflict
}

// Code implements stitch.Attachment.
func (r *judged) Code(c *wire.Coder) {
	r.RunScore.Code(c)
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

// Steps of the score, in natural logarithms of rarity, from which a change is told.
const (
	scoreStep   = 1.15
	leastScored = 2.3
	findingStep = 2.3
)

// judge takes in a stitched call.
func (w *worker) judge(ctx context.Context, r *stitch.Run, c *schema.Call, at schema.CallRef) error {
	if c.ObserverKind == schema.ObserverGate {
		asked(r, c)
	}
	if c.Duplicate || stitch.StoppedByFlyball(c) || c.SampleWeight > 1 {
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
	who, task := run.Reference, scope.TrustedTaskType(run.outside.declaredType(), r.TaskID, r.TaskTrust)
	if run.agent != r.AgentID || who.Version != r.AgentVersion || run.trust != r.AgentTrust || run.kind != r.CallerKind || who.Group == "" {
		run.agent, run.trust, run.kind = r.AgentID, r.AgentTrust, r.CallerKind
		who = score.Reference{Agent: baseline.AgentKey(r.AgentID, r.AgentTrust), Group: baseline.PeerGroup(r.AgentID, r.CallerKind), Version: r.AgentVersion}
	}
	who.Task = task
	feature.Extract(c, &j.call)
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
	run.NoteEvidence(at)
	if err := w.scoped(ctx, r, run, c, at); err != nil {
		return err
	}
	r.Score, r.Level = run.Score, j.levels.For(run.Score)
	if run.Score > before && run.Score >= leastScored && run.Score >= run.told+scoreStep {
		run.told = run.Score
		w.journal.score(&schema.Score{Tenant: r.Tenant, RunID: r.RunID, At: c.Start, Call: at, Value: run.Score, Level: r.Level,
			Baseline: j.model.Baseline.Version, Top: run.Explain(run.TopFamily(), j.call.Route)})
	}
	if r.Level < schema.LevelAlert {
		return nil
	}
	if run.findings == nil {
		run.findings = new([score.NumFamilies]finding)
	}
	for f := range score.Family(score.NumFamilies) {
		if err := w.find(ctx, r, run, f, c, at); err != nil {
			return err
		}
	}
	return nil
}
