package engine

import (
	"context"
	"fmt"
	"math"

	"flyball/detect/feature"
	"flyball/detect/model/sharedcredential"
	"flyball/detect/policy"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// suspicions judges sessions in people's names. One scale is used at a time.
type suspicions struct {
	model *sharedcredential.Model
	scale *sharedcredential.Scale
	share float64 // of people's sessions that may be suspected
}

// use compares with the tenant's own people from the next call on, where a
// baseline knows them.
func (s *suspicions) use(own *sharedcredential.TenantPeople) { s.scale = s.model.ScaleFor(own) }

// suspect is what is kept of a run in a person's name.
type suspect struct {
	finding
	session sharedcredential.Session
}

func codeSuspect(c *wire.Coder, at **suspect) {
	has := *at != nil
	c.Bool(&has)
	if !has {
		return
	}
	if !c.Encoding {
		*at = &suspect{}
	}
	s := *at
	s.session.Code(c)
	c.Float(&s.told)
	c.Int(&s.openedAt)
	c.Bool(&s.closed)
	if s.openedAt > 0 {
		s.Level = schema.LevelAlert
	}
}

// personal reports whether a run is in a person's name: its caller is a person,
// or it acts for one and no agent is established. What a caller calls itself
// takes nobody out of it. An overflow run is several sessions, and nobody's.
func personal(r *stitch.Run) bool {
	if r.Rule == schema.RunOverflow || r.AgentID != "" && r.AgentTrust >= schema.TrustInfrastructure {
		return false
	}
	return r.CallerKind == schema.CallerHuman || r.PrincipalKind == schema.PrincipalHuman
}

// suspect takes in a call of a run in a person's name, and opens the run's
// finding when few people's sessions come as far. It is an alert, and what is
// done about it beyond that is up to a rule of the operator's that names the family.
func (w *worker) suspect(ctx context.Context, r *stitch.Run, run *judged, step *feature.CallFeatures, c *schema.Call, at schema.CallRef) error {
	if !personal(r) {
		return nil
	}
	if run.suspect == nil {
		run.suspect = &suspect{}
	}
	s, people := run.suspect, &w.judging.people
	s.session.Add(sharedcredential.FromCall(c, step))
	score, ok := s.session.Judge(people.scale)
	if !ok || r.SampledCalls > 0 || !people.scale.Suspicious(score, people.share) {
		return nil // of a sampled run calls are missing: repeats and pace are not what they were
	}
	opens := s.openedAt == 0
	if !opens && !s.closed && score < s.told+suspicionStep {
		return nil
	}
	if opens {
		s.openedAt = c.Start
	}
	s.Level, s.told, s.closed = schema.LevelAlert, score, false
	out := w.suspicion(r, run, c.Start, at)
	if opens {
		if d, ok := policy.Decide(w.judging.rules, w.about(r, out, c)); ok {
			out.Decision = &d
		}
	}
	return w.tell(ctx, r, out)
}

// suspicionStep of the score from which a change is told.
const suspicionStep = .7

func (w *worker) suspicion(r *stitch.Run, run *judged, updated int64, at schema.CallRef) *schema.Finding {
	by, s := w.judging.people.scale, run.suspect
	out := w.findingOf(r, schema.FamilyBorrowed, &s.finding, &schema.Call{Start: updated}, at)
	out.OnsetAt, out.Score, out.ExpectedRate, out.Baseline = r.StartedAt, round3(s.told), by.P(s.told), by.Version()
	out.DelayCalls, out.Exposure = run.Calls(), schema.Exposure{Calls: run.Calls(), Irreversible: run.Touched.Irreversible}
	for _, e := range by.Explain(&s.session) {
		out.Evidence = append(out.Evidence, schema.Contribution{Feature: e.Feature.String(), Observed: known(e.Observed), Usual: schema.Unknown,
			Peers: known(e.Machines), Humans: known(e.Humans), Score: known(e.Weight)})
	}
	who := r.PrincipalID
	if who == "" {
		who = "a person"
	}
	out.Summary = fmt.Sprintf("a session of %s looks like a machine's after %d calls; of 1,000 sessions of people %.1f do: a suspicion, no proof", who, run.Calls(), 1e3*out.ExpectedRate)
	return out
}

// known rounds to what a person can use; NaN stays unknown.
func known(x float64) schema.OptionalFloat { return schema.OptionalFloat(round3(x)) }

func round3(x float64) float64 { return math.Round(x*1e3) / 1e3 }

// closeSuspicion closes the finding of a run that silence closed.
func (w *worker) closeSuspicion(ctx context.Context, r *stitch.Run, run *judged, over schema.CallRef) error {
	if run.suspect == nil || run.suspect.openedAt == 0 || run.suspect.closed {
		return nil
	}
	run.suspect.closed = true
	return w.tell(ctx, r, w.suspicion(r, run, r.LastAt, over))
}
