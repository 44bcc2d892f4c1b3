package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/policy"
	"flyball/detect/score"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// finding is where a finding of a run stands.
type finding struct {
	policy.FindingProgress
	told     float64 // score of the last version
	openedAt int64
	closed   bool
}

// nameOf a run's agent, in a sentence.
func nameOf(r *stitch.Run) string {
	if r.AgentID == "" {
		return "an unnamed caller"
	}
	return r.AgentID
}

// findingOf a run is what every finding of it says; its score and evidence are the family's.
func (w *worker) findingOf(r *stitch.Run, family string, have *finding, c *schema.Call, at schema.CallRef) *schema.Finding {
	out := &schema.Finding{ID: schema.FindingID(r.RunID, family), Version: at.Version(), Tenant: r.Tenant, RunID: r.RunID, RunKey: r.RunKey,
		AgentID: r.AgentID, AgentTrust: r.AgentTrust, CredentialID: r.CredentialID, PrincipalID: r.PrincipalID,
		Family: family, Level: have.Level, Exception: have.Exception, OpenedAt: have.openedAt, UpdatedAt: c.Start, OnsetAt: have.openedAt, Call: at, Evidence: []schema.Contribution{}}
	if w.judging.model != nil {
		out.Baseline = w.judging.model.Baseline.Version
	}
	if run, _ := r.Attached.(*judged); run != nil {
		out.Touched = run.Touched
	}
	if have.closed {
		out.State, out.Reason = schema.FindingClosed, "the run is closed: no call for longer than its gap"
	}
	return out
}

// find opens or updates the run's finding of a family and acts on it.
func (w *worker) find(ctx context.Context, r *stitch.Run, run *judged, f score.Family, c *schema.Call, at schema.CallRef) error {
	j, s, have := &w.judging, run.Families[f], &run.findings[f]
	level := j.levels.For(s)
	due := have.DecisionDue(&j.rules, level, policy.Subject{Agent: r.AgentID, Trust: r.AgentTrust, Family: f.String()}, c, run.Rising(f))
	if level < schema.LevelAlert || !(due || s >= have.told+findingStep || have.closed) {
		return nil
	}
	if have.Level == 0 {
		have.openedAt = c.Start
	}
	have.Level, have.told, have.closed = level, s, false
	out := w.describe(r, run, f, c, at)
	if due {
		w.decide(r, have, out, c)
	}
	return w.tell(ctx, r, out)
}

// decide decides on a finding that is due, and notes a trip at its run.
func (w *worker) decide(r *stitch.Run, have *finding, out *schema.Finding, c *schema.Call) {
	in := w.about(r, out, c)
	in.TrippedBefore = w.state.TrippedSiblings(r, c.Start-int64(w.judging.rules.TTL))
	if d, ok := have.Decide(w.judging.rules, in); ok {
		if out.Level == schema.LevelTrip {
			r.TrippedAt = c.Start
		}
		out.Decision = &d
	}
	w.except(out, have)
}

// about is what a decision on a finding is made of.
func (w *worker) about(r *stitch.Run, out *schema.Finding, c *schema.Call) policy.Input {
	in := policy.Input{Finding: out, Run: &r.RunSnapshot, Call: c, Age: w.cfg.Now().Sub(time.Unix(0, c.Start))}
	in.Tags, in.Criticality = w.cfg.About(r.AgentID)
	return in
}

func (w *worker) describe(r *stitch.Run, run *judged, f score.Family, c *schema.Call, at schema.CallRef) *schema.Finding {
	j, have := &w.judging, &run.findings[f]
	body := j.model.Baseline
	expected := body.Ranks.Expected(&body.Calibration, baseline.AgentKey(r.AgentID, r.AgentTrust), run.Reference.Group, have.told)
	out := w.findingOf(r, f.String(), have, c, at)
	onset, onsetAt, exposure := run.Onset(f)
	out.OnsetAt, out.DelayCalls, out.Exposure = onsetAt, run.Calls()-onset+1, exposure
	out.Score, out.ExpectedRate, out.ExpectedOf, out.BeyondData = have.told, expected.Rate, expected.Basis, expected.Beyond
	out.Evidence = run.Explain(f, j.call.Route)
	out.Summary = summary(out, nameOf(r), c)
	return out
}

// summary says in one sentence what happened.
func summary(f *schema.Finding, who string, c *schema.Call) string {
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
	case schema.FamilyFanout:
		return fmt.Sprintf("%s calls one route after another as its peers never do: %d calls since it began, now %s", who, n, route)
	case schema.FamilyExfiltration:
		return fmt.Sprintf("%s is given far more data than its runs are: in %d calls so far, now %s", who, n, route)
	case schema.FamilyHijack:
		return fmt.Sprintf("%s writes where its peers hardly ever do: %d calls since it began, now %s", who, n, route)
	}
	return fmt.Sprintf("%s makes far more calls than its runs do: %d so far, now %s", who, n, route)
}

// codeFindings writes or reads the findings of all families, which hardly any run has.
func (r *judged) codeFindings(c *wire.Coder) {
	var all [score.NumFamilies]finding
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
	if !c.Encoding && all != [score.NumFamilies]finding{} {
		r.findings = &all
	}
}

func (f *finding) code(c *wire.Coder) {
	wire.Small(c, &f.Level)
	c.Float(&f.told)
	c.Int(&f.openedAt)
	c.Bool(&f.closed)
	wire.Num(c, &f.Decisions)
	c.Int(&f.DecidedAt)
	f.codeException(c)
}
