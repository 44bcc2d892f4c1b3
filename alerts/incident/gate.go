package incident

import (
	"cmp"
	"fmt"
	"strings"

	"flyball/schema"
	"flyball/schema/wording"
)

// FamilyGate is the family of pages about calls that wait for approval. Routes can select it like the families of findings.
const FamilyGate = "gate"

// gateRule explains when a gate is resolved. It is part of its pages.
const gateRule = "resolves when the question is answered or times out, which counts as refused"

// gate applies the state of a gate: it makes one page when the question is asked and one when it is decided or has timed out.
func (s *findings) gate(g *schema.Gate, cause string, written int64) (*open, *change, Reason) {
	if g.Mode != schema.ModeArmed {
		return nil, nil, NotAnAlert
	}
	i := s.get(g.ID)
	switch {
	case i == nil && (g.State != schema.GatePending || written-g.AskedAt > int64(maxAge)):
		return nil, nil, FindingIsOver
	case i == nil:
		i = s.put(asFinding(g), classOfGate(g))
		i.gate, i.mode = g, schema.ModeArmed
		i.pageLevel = schema.LevelTrip
		return i, &change{Opened, GateAsked, cause, g.AskedAt}, ""
	case i.resolved || g.Generation <= i.gate.Generation && g.State == i.gate.State:
		return i, nil, AlreadyApplied
	}
	i.gate = g
	if g.State == schema.GatePending {
		return i, nil, NoChange
	}
	i.link = "" // no decision is possible any more
	return s.resolve(i, Reason("gate_"+g.State.String()), cause, cmp.Or(g.DecidedAt, g.Expires, g.AskedAt))
}

func classOfGate(g *schema.Gate) class {
	if g.Standing != nil && *g.Standing == schema.StandingEstablished {
		return questions
	}
	return claimedQuestions
}

// asFinding returns the gate as a finding, the form by which routes select pages.
func asFinding(g *schema.Gate) *schema.Finding {
	trust := schema.TrustAsserted
	if classOfGate(g) == questions {
		trust = schema.TrustInfrastructure
	}
	return &schema.Finding{AgentTrust: trust, ID: g.ID, Tenant: g.Tenant, RunID: g.RunID, RunKey: g.RunKey, AgentID: g.AgentID,
		CredentialID: g.CredentialID, PrincipalID: g.PrincipalID, Family: FamilyGate, Level: schema.LevelTrip,
		OpenedAt: g.AskedAt, UpdatedAt: g.AskedAt, Exposure: g.SoFar, Summary: summarize(g)}
}

// summarize describes the gate in one line.
func summarize(g *schema.Gate) string {
	who := g.AgentID
	if who == "" {
		who = "a caller without a name"
	}
	s := who + " waits for approval of " + g.Call()
	if about := g.About(); about != "" {
		s += " (" + about + ")"
	}
	if g.Amount != "" {
		s += strings.TrimRight(fmt.Sprintf(", %s %s", g.Amount, g.Currency), " ")
	}
	return s + ": " + wording.ReasonAndName(g.Why)
}

// addQuestion adds the fields of a gate to a page.
func (i *open) addQuestion(p *Page) {
	g := i.gate
	p.ResolveRule, p.Link = gateRule, i.link
	if g.State == schema.GatePending {
		decide := []string{"flyball breakers grant " + g.ID + " --reason '…'", "flyball breakers refuse " + g.ID + " --reason '…'"}
		p.Commands = append(decide, p.Commands...)
	}
	if g.RunID.IsZero() {
		p.Commands = p.Commands[:len(p.Commands)-1] // there is no run to list
	}
}
