package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/detect/model/callrate"
	"flyball/detect/model/sharedcredential"
	"flyball/schema"
	"flyball/schema/wording"
)

// Pace is what a version has learned of the calls in a quarter of an hour.
type Pace struct {
	Weeks  int    `json:"weeks,omitempty"`  // that it was learned from
	Agents int    `json:"agents,omitempty"` // that have a rate of their own
	Groups int    `json:"groups,omitempty"` // of peers, whose rate is used for new agents
	Why    string `json:"why,omitempty"`    // the named reason why no count is judged; empty: counts are judged
}

// People is what a version has learned of the sessions of a tenant's people.
type People struct {
	Sessions int            `json:"sessions,omitempty"`
	Areas    map[string]int `json:"areas,omitempty"` // sessions by API, MCP server, host or first part of the route
	Why      string         `json:"why,omitempty"`   // the named reason why no session is judged; empty: sessions are judged
}

// AgentPace is what a version has learned of the calls of an agent in a quarter of an hour.
type AgentPace struct {
	Acquaintance schema.Acquaintance  `json:"acquaintance"`
	Usual        schema.OptionalFloat `json:"usual,omitzero"` // mean over a week
	UsualOf      string               `json:"usual_of"`       // own, peers, nothing_learned
	Peers        schema.OptionalFloat `json:"peers,omitzero"`
	Why          string               `json:"why,omitempty"` // the named reason why its counts are not judged
}

func paceOf(m *callrate.Model) Pace {
	if m == nil {
		return Pace{Why: callrate.WhyNothingLearned}
	}
	out := Pace{Weeks: m.Weeks}
	out.Agents, out.Groups = m.Learned()
	switch {
	case out.Agents+out.Groups == 0:
		out.Why = callrate.WhyNothingLearned
	case !m.Calibrated():
		out.Why = callrate.WhyNotCalibrated
	}
	return out
}

func peopleOf(own *sharedcredential.TenantPeople) People {
	s := sharedcredential.EmbeddedModel().ScaleFor(own)
	if !s.UsesTenantPeople() {
		return People{Why: sharedcredential.WhyNothingLearned}
	}
	return People{Sessions: s.Sessions(), Areas: own.Areas}
}

func agentPace(b *baseline.Baseline, agent string) AgentPace {
	m, group := b.CallRates, b.AgentGroup(agent)
	u := m.ShownOverWeek(agent, group)
	shown := func(x float64) schema.OptionalFloat {
		if math.IsNaN(x) {
			return schema.Unknown
		}
		return schema.OptionalFloat(calibrate.RoundDigits(x))
	}
	return AgentPace{Acquaintance: m.Acquaintance(agent, group), Usual: shown(u.Calls), UsualOf: u.Of, Peers: shown(u.Peers),
		Why: m.Abstains(agent, group)}
}

// printPace prints what a version knows of the pace of its agents.
func printPace(w io.Writer, p Pace) {
	switch p.Why {
	case "":
		Printf(w, "pace        %d weeks; agents with their own rate: %d, groups with a rate for new agents: %d; of others %s\n",
			p.Weeks, p.Agents, p.Groups, wording.NothingLearned)
	case callrate.WhyNotCalibrated:
		Printf(w, "pace        %s\n", "not judged: "+wording.Reason(p.Why))
	default:
		Printf(w, "pace        %s: %s\n", wording.NothingLearned, "no two whole weeks of calls, or no agent with enough days")
	}
}

// printPeople prints with which sessions the version compares sessions in people's names.
func printPeople(w io.Writer, p People) {
	if p.Why != "" {
		Printf(w, "people      %s: fewer than %d sessions of people; sessions in people's names are not judged\n",
			wording.NothingLearned, sharedcredential.MinTenantSessions)
		return
	}
	areas := slices.SortedFunc(maps.Keys(p.Areas), func(a, b string) int {
		return cmp.Or(cmp.Compare(p.Areas[b], p.Areas[a]), strings.Compare(a, b))
	})
	const most = 5
	var on []string
	for _, name := range areas[:min(len(areas), most)] {
		on = append(on, fmt.Sprintf("%s (%d)", name, p.Areas[name]))
	}
	if more := len(areas) - most; more > 0 {
		on = append(on, fmt.Sprintf("%d more", more))
	}
	Printf(w, "people      %d sessions, on %s; elsewhere %s\n", p.Sessions, strings.Join(on, ", "), wording.NothingLearned)
}

// printAgentPace prints the usual pace of an agent.
func printAgentPace(w io.Writer, p AgentPace) {
	if p.Usual.IsZero() {
		Printf(w, "pace        %s: fewer than %d days with its own calls, and fewer than %d such agents among its peers\n",
			wording.NothingLearned, callrate.MinOwnDays, callrate.MinPeerAgents)
		return
	}
	Printf(w, "pace        usually %s in a quarter of an hour, the mean of a week (%s)", figure(p.Usual, wording.Calls),
		wording.Median(p.UsualOf))
	if !p.Peers.IsZero() && p.UsualOf != "peers" {
		Printf(w, "; its peers %s", figure(p.Peers, wording.Calls))
	}
	if p.Why != "" {
		Printf(w, "; not judged: %s", wording.Reason(p.Why))
	}
	Printf(w, "\n")
}
