package incident

import (
	"cmp"
	"fmt"
	"strings"

	"flyball/schema"
)

// FamilyGate is the family of pages about calls that wait for a yes: routes
// choose by it as by the families of findings.
const FamilyGate = "gate"

// GateRule is when a question is over.
const GateRule = "resolves when the question is answered or times out, which is a no"

// gate takes in the state of a question: one page when it is asked, one when it is over.
func (f *Fold) gate(g *schema.Gate, cause string, written int64) (Page, bool) {
	if g.Mode != schema.ModeArmed {
		return Page{}, false
	}
	i := f.get(g.ID)
	switch {
	case i == nil && (g.State != schema.GatePending || written-g.AskedAt > int64(TooOld)):
		return Page{}, false
	case i == nil:
		i = f.put(asFinding(g))
		i.gate, i.mode = g, schema.ModeArmed
		if f.Link != nil {
			i.link = f.Link(g.ID, g.Expires)
		}
		if !f.wants(i.finding) {
			return Page{}, false
		}
		p := i.page(Opened, "gate_asked", cause, g.AskedAt)
		i.told = schema.LevelTrip
		return p, true
	case i.over || g.Generation <= i.gate.Generation && g.State == i.gate.State:
		return Page{}, false
	}
	i.gate = g
	if g.State == schema.GatePending {
		return Page{}, false
	}
	i.link = "" // it decides nothing any more
	return f.resolve(i, "gate_"+g.State.String(), cause, cmp.Or(g.DecidedAt, g.Expires, g.AskedAt))
}

// asFinding is a question as routes see it.
func asFinding(g *schema.Gate) *schema.Finding {
	return &schema.Finding{ID: g.ID, Tenant: g.Tenant, RunID: g.RunID, RunKey: g.RunKey, AgentID: g.AgentID, CredentialID: g.CredentialID, PrincipalID: g.PrincipalID,
		Family: FamilyGate, Level: schema.LevelTrip, OpenedAt: g.AskedAt, UpdatedAt: g.AskedAt, Exposure: g.SoFar, Summary: asked(g)}
}

func asked(g *schema.Gate) string {
	who := g.AgentID
	if who == "" {
		who = "a caller without a name"
	}
	s := who + " waits for a yes to " + g.Route
	if g.Resource != "" {
		s += " (" + g.Resource + ")"
	}
	if g.Amount != "" {
		s += strings.TrimRight(fmt.Sprintf(", %s %s", g.Amount, g.Currency), " ")
	}
	return s + ": " + g.Why
}

// question makes the page of an incident one of a question.
func (i *open) question(p *Page) {
	g := i.gate
	p.ResolveRule, p.Link = GateRule, i.link
	if g.State == schema.GatePending {
		p.Commands = append([]string{"flyball breakers grant " + g.ID + " --reason '…'", "flyball breakers refuse " + g.ID + " --reason '…'"}, p.Commands...)
	}
	if g.RunID.IsZero() {
		p.Commands = p.Commands[:len(p.Commands)-1] // there is no run to look at
	}
}
