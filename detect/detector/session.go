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
// more is done about it only by an operator's rule that names the family.
type sessionDetector struct {
	model *sharedcredential.Model
	scale *sharedcredential.Scale // the model's scale, with the tenant's own people if the baseline has them
	share float64                 // of people's sessions that may be suspected
}

func newSessionDetector(share float64) *sessionDetector {
	d := &sessionDetector{model: sharedcredential.EmbeddedModel(), share: share}
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
	s, _ := c.State().(*sessionState)
	if s == nil {
		s = &sessionState{}
		c.Keep(s)
	}
	s.session.Add(sharedcredential.FromCall(c.Call, &c.Step))
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
	out.Score, out.ExpectedRate = roundThousandth(s.Reported), d.scale.P(s.Reported)
	out.DelayCalls, out.Exposure = run.Calls(), schema.Exposure{Calls: run.Calls(), Irreversible: run.Touched.Irreversible}
	for _, e := range d.scale.Explain(&s.session) {
		out.Evidence = append(out.Evidence, schema.Contribution{Feature: e.Feature.String(), Observed: rounded(e.Observed), Usual: schema.Unknown,
			Peers: rounded(e.Machines), Humans: rounded(e.Humans), Score: rounded(e.Weight)})
	}
	who := c.Run.PrincipalID
	if who == "" {
		who = "a person"
	}
	out.Summary = fmt.Sprintf("a session of %s looks like a machine's after %d calls; so do %s of the sessions of people: "+
		"a suspicion, no proof",
		who, run.Calls(), wording.Percent(out.ExpectedRate))
	return out
}

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
