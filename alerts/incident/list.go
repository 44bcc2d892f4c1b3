package incident

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"flyball/schema"
)

// Line is an open incident in a list.
type Line struct {
	ID       string    `json:"incident_id"`
	Tenant   string    `json:"tenant"`
	State    string    `json:"state"` // open, acknowledged, silenced
	Level    string    `json:"level"`
	By       string    `json:"by"` // what it counts: agent, tenant, claimed_names, gate
	Family   string    `json:"family"`
	Agent    string    `json:"agent,omitempty"`
	Runs     int       `json:"runs"`
	Findings int       `json:"findings"` // open ones
	Denied   bool      `json:"denied"`   // a breaker of it denies calls
	OpenedAt time.Time `json:"opened_at"`
	Updated  time.Time `json:"updated_at"` // of the worst finding
	Summary  string    `json:"summary"`

	Acknowledged *Acknowledgement `json:"acknowledged,omitempty"`
	Silence      string           `json:"silence,omitempty"` // the silence that matches its worst finding
	Worst        []Member         `json:"worst"`
}

// List returns the open incidents of a tenant, the worst first; of all tenants if there is none.
func (f *Fold) List(tenant string) []Line {
	out := []Line{}
	for _, g := range f.incidents.groups {
		if tenant == "" || g.scope.tenant == tenant {
			out = append(out, f.line(g))
		}
	}
	slices.SortFunc(out, func(a, b Line) int {
		return cmp.Or(cmp.Compare(order[b.Level], order[a.Level]), b.OpenedAt.Compare(a.OpenedAt), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// Silences returns the ids of the silences in force in a tenant: those that the log has.
func (f *Fold) Silences(tenant string) []string { return f.silences.in(tenant) }

// Matched returns how many incidents of a tenant are open, and how many of them have a finding that matches.
func (f *Fold) Matched(tenant string, m *schema.Matchers) (matched, open int) {
	for _, g := range f.incidents.groups {
		if g.scope.tenant != tenant {
			continue
		}
		open++
		for i := range g.members {
			if matches(m, i.finding, f.Registry) {
				matched++
				break
			}
		}
	}
	return matched, open
}

// order is the order of levels.
var order = map[string]int{schema.LevelAlert.String(): 1, schema.LevelTrip.String(): 2}

// Find returns the open incidents of a tenant (of all tenants if there is none) that a term names: the id of an incident, of one of its
// findings, or the beginning of one.
func (f *Fold) Find(tenant, term string) []Line {
	of := func(g *group) bool { return g != nil && (tenant == "" || g.scope.tenant == tenant) }
	if g := f.incidents.ids[term]; of(g) {
		return []Line{f.line(g)}
	}
	if e := f.findings.open[term]; e != nil {
		if g := e.Value.(*open).group; of(g) {
			return []Line{f.line(g)}
		}
	}
	out := []Line{}
	if len(term) < schema.MinIDPrefix {
		return out
	}
	for _, g := range f.incidents.groups {
		named := strings.HasPrefix(g.id, term)
		for i := range g.members {
			named = named || strings.HasPrefix(i.finding.ID, term)
		}
		if named && of(g) {
			out = append(out, f.line(g))
		}
	}
	slices.SortFunc(out, func(a, b Line) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func (f *Fold) line(g *group) Line {
	worst := g.worst(maxWorst)
	i := worst[0]
	p := g.page(i, &change{at: i.finding.UpdatedAt}, Updated, StillOpen, i.finding.Level)
	l := Line{ID: g.id, Tenant: g.scope.tenant, State: "open", Level: i.finding.Level.String(), By: "agent", Family: p.Family,
		Agent: p.AgentID,
		Runs:  len(g.runs), Findings: len(g.members), Denied: g.denying > 0, OpenedAt: utc(g.openedAt), Updated: utc(i.finding.UpdatedAt),
		Summary: p.Summary, Acknowledged: p.Acknowledged}
	switch {
	case i.gate != nil && p.Group == nil:
		l.By = FamilyGate
	case p.Group != nil:
		l.By = p.Group.By
	}
	if s := f.silences.of(i.finding, f.Registry); s != nil {
		l.State, l.Silence = "silenced", s.ID
	}
	if l.Acknowledged != nil {
		l.State = "acknowledged"
	}
	for _, w := range worst {
		l.Worst = append(l.Worst, member(w.finding))
	}
	return l
}
