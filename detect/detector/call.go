package detector

import (
	"time"

	"flyball/detect/feature"
	"flyball/detect/policy"
	"flyball/detect/score"
	"flyball/detect/stitch"
	"flyball/schema"
)

// Judgment is a call of a run that is being judged, or the end of a run that is being closed, with the
// results of earlier stages. It is valid only during Judge or Close.
type Judgment struct {
	*schema.Call // of the end of a run: only Start is set
	Run          *stitch.Run
	At           schema.CallRef

	RunState *RunState // the run's score, with this call
	Step     feature.CallFeatures
	Features *feature.Input
	Baseline *score.Model // nil: no baseline is active
	Before   Before

	set      *Set
	slot     int // of the detector that judges
	findings []*schema.Finding
}

// Before holds what was known of the run before the call.
type Before struct {
	Agent   string
	Trust   schema.Trust // of the agent's name
	Touched schema.Touched
}

func (c *Judgment) begin(s *Set, r *stitch.Run, run *RunState, call *schema.Call, at schema.CallRef) {
	if len(c.findings) > 0 {
		clear(c.findings)
		c.findings = c.findings[:0]
	}
	if c.set != s || c.Baseline != s.model { // the same at each call, until the baseline changes
		c.Features, c.Baseline, c.set = &s.features, s.model, s
	}
	c.Call, c.Run, c.At, c.RunState = call, r, at, run
	c.Step, c.slot = feature.CallFeatures{}, 0
	c.Before = Before{run.agent, run.trust, run.Touched}
}

// Level returns the level of a score of the run by the active baseline and the class of the run's acquaintance.
func (c *Judgment) Level(score float64) schema.Level {
	levels := c.RunState.Levels(c.set.options.FalseTrips)
	return levels.For(score)
}

// State returns the detector's state of the run, or nil.
func (c *Judgment) State() State { return findState(c.RunState.states, c.slot) }

// Keep stores s as the detector's state of the run, which had none.
func (c *Judgment) Keep(s State) { c.RunState.states = addState(c.RunState.states, c.slot, s) }

// ActorState returns the detector's state of the run's actor, for all its runs. It is made if there
// is none yet.
func (c *Judgment) ActorState() State {
	owner := c.Run.Owner()
	a, _ := owner.Attached.(*actorState)
	if a == nil {
		a = &actorState{set: c.set}
		owner.Attached = a
	}
	s := findState(a.states, c.slot)
	if s == nil {
		s = c.set.slots[c.slot].NewActorState()
		a.states = addState(a.states, c.slot, s)
	}
	return s
}

// Report adds a version of a finding to those that are published.
func (c *Judgment) Report(f *schema.Finding) { c.findings = append(c.findings, f) }

// NewFinding returns a version of a finding of the run, with the fields that all families share.
// The detector sets the score, the evidence and the summary.
func (c *Judgment) NewFinding(family string, p *Progress) *schema.Finding {
	r := c.Run
	out := &schema.Finding{ID: schema.FindingID(r.RunID, family), Version: c.At.Version(), Tenant: r.Tenant, RunID: r.RunID, RunKey: r.RunKey,
		AgentID: r.AgentID, AgentTrust: r.AgentTrust, CredentialID: r.CredentialID, PrincipalID: r.PrincipalID, Family: family,
		Level: p.Level, Exception: p.Exception, OpenedAt: p.OpenedAt, UpdatedAt: c.Start, OnsetAt: p.OpenedAt, Call: c.At,
		Evidence: []schema.Contribution{}, Baseline: c.set.Baseline(), Acquaintance: c.RunState.Acquaintance(),
		Touched: c.RunState.Touched}
	if p.Closed {
		out.State, out.Reason = schema.FindingClosed, "the run is closed: no call for longer than its gap"
	}
	return out
}

// DecisionDue reports whether a decision is due on a finding of a family that has reached a level.
// rising: the run has not recovered.
func (c *Judgment) DecisionDue(p *Progress, level schema.Level, family string, rising bool) bool {
	subject := policy.Subject{Agent: c.Run.AgentID, Trust: c.Run.AgentTrust, Family: family}
	return p.DecisionDue(&c.set.options.Rules, level, subject, c.Call, rising)
}

// Decide makes a decision on a finding and stores in it the decision, or the exception that covers
// it.
func (c *Judgment) Decide(p *Progress, out *schema.Finding) { c.decide(p, out, c.input(out)) }

// DecideTrip makes a decision like Decide, for findings that can trip: it counts the trips of the
// actor's other runs, and records a trip of this run.
func (c *Judgment) DecideTrip(p *Progress, out *schema.Finding) {
	in := c.input(out)
	in.TrippedBefore = c.Run.TrippedSiblings(c.Start - int64(c.set.options.Rules.TTL))
	if c.decide(p, out, in) && out.Level == schema.LevelTrip {
		c.Run.Trip(c.Start)
	}
}

func (c *Judgment) decide(p *Progress, out *schema.Finding, in policy.Input) bool {
	d, ok := p.Decide(c.set.options.Rules, in)
	if ok {
		c.addDecision(out, d)
	}
	if out.Exception = p.Exception; p.Exception != "" {
		c.set.metrics.decisions.WithLabelValues("none", policy.WhyException).Inc()
	}
	return ok
}

// DecideByRule makes a decision from the rules alone, without a Progress: for alerts to which an
// operator's rule may apply at every version. earlier is the number of earlier decisions on the
// finding. It reports whether a decision was made.
func (c *Judgment) DecideByRule(out *schema.Finding, earlier uint32) bool {
	in := c.input(out)
	in.EarlierDecisions = int(earlier)
	d, ok := policy.Decide(c.set.options.Rules, in)
	if ok {
		c.addDecision(out, d)
	}
	return ok
}

func (c *Judgment) addDecision(out *schema.Finding, d schema.Decision) {
	out.Decision = &d
	c.set.metrics.decisions.WithLabelValues(d.Mode.String(), d.Why).Inc()
}

// input returns the input of a decision on a finding.
func (c *Judgment) input(out *schema.Finding) policy.Input {
	o := &c.set.options
	in := policy.Input{Finding: out, Run: &c.Run.RunSnapshot, Call: c.Call, Age: o.Now().Sub(time.Unix(0, c.Start))}
	in.Tags, in.Criticality = o.About(c.Run.AgentID)
	return in
}
