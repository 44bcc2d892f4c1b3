package incident

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"flyball/schema"
)

// worst returns up to n findings of the incident, the worst first.
func (g *group) worst(n int) []*open {
	all := slices.SortedFunc(maps.Keys(g.members), compareWorst)
	return all[:min(n, len(all))]
}

// compareWorst orders findings, the worst first.
func compareWorst(a, b *open) int {
	x, y := a.finding, b.finding
	return cmp.Or(cmp.Compare(y.Level, x.Level), cmp.Compare(y.Exposure.Irreversible, x.Exposure.Irreversible),
		cmp.Compare(y.Exposure.Calls, x.Exposure.Calls), cmp.Compare(x.ID, y.ID))
}

// sameAs reports whether two versions of a finding name the same caller. A caller can be recognised in the middle of a run.
func (m Member) sameAs(other Member) bool {
	m.Level = other.Level
	return m == other
}

func member(v *schema.Finding) Member {
	return Member{Finding: v.ID, RunID: v.RunID, AgentID: v.AgentID, Family: v.Family, Level: v.Level}
}

// page returns the page of the incident that a change of one of its findings causes.
func (g *group) page(i *open, c *change, kind Kind, because Reason, level schema.Level) Page {
	p := i.page(kind, because, c.cause, c.at)
	p.ID, p.Incident, p.OpenedAt = schema.PageID(g.id, c.cause), g.id, utc(g.openedAt)
	p.Was, p.Level, p.Acknowledged = g.pages.level, level, g.acknowledgement()
	one := g.findings < 2 && !g.wide() && g.opener.sameAs(member(i.finding))
	if one || i.gate != nil && g.scope.agent == i.finding.ID {
		return p
	}
	p.Group = &Group{By: "agent", Findings: g.findings, Open: len(g.members), Runs: g.allRuns, Agents: g.allAgent}
	for _, w := range g.worst(maxWorst) {
		p.Group.Worst = append(p.Group.Worst, member(w.finding))
	}
	if !g.wide() {
		p.Group.OpenedBy = &g.opener
		switch {
		case g.scope.class.isQuestions():
			p.Link, p.Commands = "", []string{"flyball breakers gates"}
			p.Summary = fmt.Sprintf("%d calls of the agent wait for approval beside those with a page of their own, the latest: %s",
				len(g.members), p.Summary)
		case because == IncidentGrew:
			p.Summary = fmt.Sprintf("%d runs went wrong, the latest: %s", g.allRuns, p.Summary)
		}
		return p
	}
	g.widen(&p)
	return p
}

// widen makes the page of a finding one about the agents of a tenant.
func (g *group) widen(p *Page) {
	what := "agents"
	p.Group.By, p.Family = "tenant", FamilyTenant
	if g.scope.class.byName() {
		what, p.Group.By, p.Family = "callers whose name is only claimed", "claimed_names", FamilyClaimed
	}
	summary := fmt.Sprintf("Tenant %s: beside those with an incident of their own, %d %s went wrong in %d runs", schema.Chat(g.scope.tenant),
		g.allAgent, what, g.allRuns)
	if g.scope.class.isQuestions() {
		p.Family, p.Link = FamilyGates, ""
		summary = fmt.Sprintf("Tenant %s: beside those with a page of their own, %d calls of %d %s wait for approval",
			schema.Chat(g.scope.tenant), len(g.members), len(g.agents), what)
	}
	p.Exposure, p.Touched = schema.Exposure{}, schema.Touched{}
	seen := map[schema.RunID]schema.Touched{}
	for m := range g.members {
		p.Exposure.Calls += m.finding.Exposure.Calls
		p.Exposure.Irreversible += m.finding.Exposure.Irreversible
		seen[m.finding.RunID] = larger(seen[m.finding.RunID], m.finding.Touched)
	}
	for _, t := range seen {
		p.Touched = sum(p.Touched, t)
	}
	if worst := g.worst(1); len(worst) > 0 {
		summary += "; the worst: " + schema.Chat(worst[0].finding.Summary)
	}
	p.Summary, p.Contributions, p.Breaker, p.ResolveRule = summary, []schema.Contribution{}, nil, wideRule
	p.RunID, p.RunKey, p.AgentID, p.CredentialID, p.Acquaintance, p.Caller = schema.RunID{}, "", "", "", schema.AcquaintanceUnrecorded, ""
	p.ExpectedRate, p.ExpectedOf, p.ExpectedRuns, p.Rarity = 0, "", 0, ""
	p.Commands = []string{"flyball findings", "flyball breakers list"}
	if g.scope.class.isQuestions() {
		p.Commands = []string{"flyball breakers gates"}
	} else if len(p.Group.Worst) > 0 {
		p.Commands = append(p.Commands, "flyball touched "+p.Group.Worst[0].RunID.String())
	}
}

// larger returns the version of a run's counts with more calls: each of its findings has those of its last change.
func larger(a, b schema.Touched) schema.Touched {
	if total(a) >= total(b) {
		return a
	}
	return b
}

func total(t schema.Touched) uint64 {
	return t.ReadOnly + t.Reversible + t.Compensable + t.Irreversible + t.Unknown
}

func sum(a, b schema.Touched) schema.Touched {
	return schema.Touched{ReadOnly: a.ReadOnly + b.ReadOnly, Reversible: a.Reversible + b.Reversible,
		Compensable: a.Compensable + b.Compensable, Irreversible: a.Irreversible + b.Irreversible, Unknown: a.Unknown + b.Unknown}
}
