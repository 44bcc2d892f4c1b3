package detector

import (
	"fmt"
	"strings"

	"flyball/detect/score"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// identityName is the detector's name in stored state.
const identityName = "identity"

// identityDetector finds runs for which two sources report different identities. It reports once
// for each run.
type identityDetector struct{}

// Features in the evidence of identity findings.
const (
	otherName      = "identity.asserted_name"
	otherPrincipal = "identity.another_principal_on_run_key"
)

// identityState holds the conflict that a run's finding is about.
type identityState struct {
	Progress
	evidence string // the feature and the other name, separated by a space
	first    schema.CallRef
}

func (identityDetector) Describe() Description {
	return Description{Name: identityName, StateVersion: 9, NewRunState: func() State { return &identityState{} }}
}

func (identityDetector) Activate(*score.Model) {}

// Judge opens the run's finding at the first call with a conflict.
func (identityDetector) Judge(c *Judgment) {
	if c.State() != nil {
		return
	}
	feature, other := identityConflict(c.Run, &c.Before, c.Call)
	if feature == "" {
		return
	}
	s := &identityState{evidence: feature + " " + strings.Clone(other), first: c.At}
	s.OpenedAt, s.Level = c.Start, schema.LevelAlert
	if feature == otherName {
		s.Level = schema.LevelAnnotate // sub-agents and libraries send their own names often: no page is sent
	}
	c.Keep(s)
	out := s.describe(c)
	out.Touched = c.Before.Touched // the call that opens the finding is not counted yet
	c.Report(out)
}

// identityConflict returns the feature in which a call differs from what is known of the run, and
// the other name; empty: there is no conflict. A sub-agent may have a different name under its
// parent's credential.
func identityConflict(r *stitch.Run, before *Before, c *schema.Call) (feature, other string) {
	established := r.AgentTrust >= schema.TrustInfrastructure
	switch {
	case r.OtherPrincipal():
		return otherPrincipal, r.PrincipalID
	case c.ParentAgent != "" || !established:
		return "", ""
	case c.AgentAsserted != "" && c.AgentAsserted != r.AgentID:
		return otherName, c.AgentAsserted
	case c.AgentTrust == schema.TrustAsserted && c.AgentID != "" && c.AgentID != r.AgentID:
		return otherName, c.AgentID
	case before.Trust == schema.TrustAsserted && before.Agent != "" && before.Agent != r.AgentID:
		return otherName, before.Agent
	}
	return "", ""
}

func (s *identityState) describe(c *Judgment) *schema.Finding {
	out := c.NewFinding(schema.FamilyIdentity, &s.Progress)
	evidence := unmeasured(s.evidence, 1, 0)
	evidence.Calls = []string{s.first.String()}
	out.Evidence = append(out.Evidence, evidence)
	feature, other, _ := strings.Cut(s.evidence, " ")
	out.Summary = fmt.Sprintf("%s calls itself %s", agentName(c.Run), other)
	if feature == otherPrincipal {
		out.Summary = fmt.Sprintf("%s comes under a run key that another principal uses: %s", other, c.Run.RunKey)
	}
	return out
}

// Close closes the finding with its run.
func (identityDetector) Close(c *Judgment) {
	if s, _ := c.State().(*identityState); s != nil && !s.Closed {
		s.Closed = true
		c.Report(s.describe(c))
	}
}

// Code implements State.
func (s *identityState) Code(c *wire.Coder) {
	s.Progress.Code(c)
	c.Text(&s.evidence)
	wire.CodeCallRef(c, &s.first)
	if !c.Encoding {
		s.evidence = strings.Clone(s.evidence)
	}
}
