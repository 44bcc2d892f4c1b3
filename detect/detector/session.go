package detector

import (
	"fmt"
	"math"

	"flyball/detect/model/sharedcredential"
	"flyball/detect/score"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
	"flyball/schema/wording"
)

// sessionName is the detector's name in stored state.
const sessionName = "session"

// sessionDetector finds runs in a person's name that look like a machine's. A finding is an alert;
// more is done about it only by an operator's rule that names the family. It counts only calls in
// areas on which sessions of the tenant's own people were learned, and abstains from the others.
type sessionDetector struct {
	metrics *Metrics

	model *sharedcredential.Model
	scale *sharedcredential.Scale // the model's scale, with the tenant's own people if the baseline has them
	share float64                 // of people's sessions that may be suspected
}

func newSessionDetector(share float64, m *Metrics) *sessionDetector {
	d := &sessionDetector{metrics: m, model: sharedcredential.EmbeddedModel(), share: share}
	d.Activate(nil)
	return d
}

// sessionState is the state of a run in a person's name.
type sessionState struct {
	Progress
	session sharedcredential.Session
}

// Describe implements Detector.
func (*sessionDetector) Describe() Description {
	return Description{Name: sessionName, StateVersion: 9, NewRunState: func() State { return &sessionState{} }}
}

// Activate implements Detector.
func (d *sessionDetector) Activate(m *score.Model) {
	var own *sharedcredential.TenantPeople
	if m != nil {
		own = m.Baseline.People
	}
	d.scale = d.model.ScaleFor(own)
}

// inPersonsName reports whether a run is in a person's name: its caller is a person, or it acts for
// a person and no agent is established. A name that the caller only claims does not change this. An
// overflow run consists of several sessions and is in no person's name.
func inPersonsName(r *stitch.Run) bool {
	if r.Rule == schema.RunOverflow || r.AgentID != "" && r.AgentTrust >= schema.TrustInfrastructure {
		return false
	}
	return r.CallerKind == schema.CallerHuman || r.PrincipalKind == schema.PrincipalHuman
}

// minSuspicionChange is the smallest increase of the score for which a new version is published.
const minSuspicionChange = .7

// Judge adds a call of a run in a person's name to its session, and opens the run's finding when
// few people's sessions have such a score.
func (d *sessionDetector) Judge(c *Judgment) {
	if !inPersonsName(c.Run) {
		return
	}
	call := sharedcredential.FromCall(c.Call, &c.Step)
	if why := d.scale.Abstains(call.Area); why != "" {
		d.metrics.borrowedAbstained.WithLabelValues(why).Inc()
		return
	}
	s, _ := c.State().(*sessionState)
	if s == nil {
		s = &sessionState{}
		c.Keep(s)
	}
	s.session.Add(call)
	value, ok := s.session.Judge(d.scale)
	if !ok || c.Run.SampledCalls > 0 || !d.scale.Suspicious(value, d.share) {
		return // in a sampled run calls are missing, so repeats and pace are wrong
	}
	opens := s.OpenedAt == 0
	if !opens && !s.Closed && value < s.Reported+minSuspicionChange {
		return
	}
	if opens {
		s.OpenedAt = c.Start
	}
	s.Level, s.Reported, s.Closed = schema.LevelAlert, value, false
	out := d.describe(c, s)
	if opens {
		c.DecideByRule(out, 0)
	}
	c.Report(out)
}

func (d *sessionDetector) describe(c *Judgment, s *sessionState) *schema.Finding {
	run := c.RunState
	out := c.NewFinding(schema.FamilyBorrowed, &s.Progress)
	out.OnsetAt, out.Baseline = c.Run.StartedAt, d.scale.Version()
	out.Score = roundThousandth(s.Reported)
	out.DelayCalls, out.Exposure = run.Calls(), schema.Exposure{Calls: run.Calls(), Irreversible: run.Touched.Irreversible}
	for _, e := range d.scale.Explain(&s.session) {
		evidence := schema.Contribution{Feature: e.Feature.String(), Observed: rounded(e.Observed), Usual: schema.Unknown,
			Peers: schema.Unknown, Humans: rounded(e.Humans), Score: rounded(e.Weight)}
		if evidence.Humans.IsZero() {
			evidence.UsualOf = sharedcredential.WhyNothingLearned
		}
		out.Evidence = append(out.Evidence, evidence)
	}
	who := c.Run.PrincipalID
	if who == "" {
		who = "a person"
	}
	often := "how many sessions of people do is not known, " + wording.NothingLearned
	if d.scale.UsesTenantPeople() {
		out.ExpectedRate, out.ExpectedOf, out.ExpectedRuns = d.scale.P(s.Reported), peopleSessions, uint64(d.scale.Sessions())
		out.Acquaintance = schema.NewAgent // a person's own past is not learned
		often = "so do " + wording.Percent(out.ExpectedRate) + " of the sessions of people"
	} else { // another baseline is active than the one by which the finding was opened
		out.ExpectedOf, out.Acquaintance = sharedcredential.WhyNothingLearned, schema.NothingLearned
	}
	out.Summary = fmt.Sprintf("a session of %s looks like a machine's after %d calls; %s: a suspicion, no proof", who, run.Calls(), often)
	return out
}

// peopleSessions names the sessions of the tenant's people as those that an expected rate is of.
const peopleSessions = "people"

// rounded returns a number rounded for display; NaN stays unknown.
func rounded(x float64) schema.OptionalFloat { return schema.OptionalFloat(roundThousandth(x)) }

func roundThousandth(x float64) float64 { return math.Round(x*1e3) / 1e3 }

// Close closes the finding with its run.
func (d *sessionDetector) Close(c *Judgment) {
	if s, _ := c.State().(*sessionState); s != nil && s.OpenedAt > 0 && !s.Closed {
		s.Closed = true
		c.Report(d.describe(c, s))
	}
}

// Code implements State.
func (s *sessionState) Code(c *wire.Coder) {
	s.session.Code(c)
	c.Float(&s.Reported)
	c.Int(&s.OpenedAt)
	c.Bool(&s.Closed)
	if s.OpenedAt > 0 {
		s.Level = schema.LevelAlert
	}
}
