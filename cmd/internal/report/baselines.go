package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"flyball/detect/model/baseline"
	"flyball/schema"
	"flyball/schema/wording"
)

// Version is a row of `flyball baselines list`.
type Version struct {
	Version  string `json:"version"`
	MadeAt   string `json:"made_at,omitempty"`
	Active   bool   `json:"active"`
	Runs     uint64 `json:"runs"`
	Calls    uint64 `json:"calls"`
	Agents   int    `json:"agents"`
	Learning int    `json:"learning"`
	Live     int    `json:"agents_active"`
	Stale    int    `json:"stale"`
	Frozen   int    `json:"frozen"`
	// Acquaintance is the number of agents by class; classes without agents are absent.
	Acquaintance map[schema.Acquaintance]int `json:"acquaintance,omitempty"`
	Bytes        int                         `json:"bytes"`
	Parent       string                      `json:"parent,omitempty"`
	Code         string                      `json:"code,omitempty"`
	Error        string                      `json:"error,omitempty"` // reason why this binary cannot use it
}

// Fill sets the members that come from the body of the version.
func (v *Version) Fill(b *baseline.Baseline) {
	n := b.CountStates()
	v.MadeAt, v.Runs, v.Calls, v.Agents, v.Parent, v.Code = at(
		b.MadeAt,
	), b.Runs, b.Calls, len(
		b.AgentNames(),
	), b.Provenance.Parent, b.Provenance.Code
	v.Learning, v.Live, v.Stale, v.Frozen = n[0], n[1], n[2], n[3]
	v.Acquaintance = map[schema.Acquaintance]int{}
	for _, l := range b.LearnedAgents() {
		v.Acquaintance[l.Acquaintance]++
	}
}

func at(ns int64) string {
	if ns == 0 {
		return ""
	}
	return time.Unix(0, ns).UTC().Format(time.RFC3339Nano)
}

// Versions prints one line for each version.
func Versions(w io.Writer, list []Version) error {
	if len(list) == 0 {
		err := Printf(w, "No baseline yet: flyball baselines show says what it waits for, and how long.\n")
		return err
	}
	return Table(
		w,
		"VERSION | MADE (UTC) | IN FORCE | RUNS | CALLS? | AGENTS | KNOWN?? | NEW?? | STRANGERS?? | "+
			"LEARNING??? | ACTIVE??? | STALE??? | FROZEN? | KiB????",
		func(row func(...any)) {
			for _, v := range list {
				if v.Error != "" {
					row(v.Version, "-", "no", v.Error)
					continue
				}
				known := v.Acquaintance
				row(
					v.Version,
					Stamped(v.MadeAt),
					yes(v.Active),
					v.Runs,
					v.Calls,
					v.Agents,
					known[schema.KnownAgent],
					known[schema.NewAgent],
					known[schema.NewPopulation]+known[schema.NothingLearned],
					v.Learning,
					v.Live,
					v.Stale,
					v.Frozen,
					v.Bytes>>10,
				)
			}
		},
	)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "-"
}

// BaselineSummary is one version in full.
type BaselineSummary struct {
	Version    string            `json:"version"`
	Tenant     string            `json:"tenant"`
	MadeAt     string            `json:"made_at"`
	Since      string            `json:"since"`
	Until      string            `json:"until"`
	Quarantine string            `json:"quarantine"`
	Parent     string            `json:"parent,omitempty"`
	Code       string            `json:"code,omitempty"`
	Pin        map[int32]int64   `json:"pin,omitempty"`
	Runs       uint64            `json:"runs"`
	Calls      uint64            `json:"calls"`
	Left       map[string]uint64 `json:"left_out,omitempty"`
	Pace       Pace              `json:"pace"`
	People     People            `json:"people"`
	Classes    []ClassLine       `json:"classes"`
	Agents     []AgentLine       `json:"agents"`
	Peers      string            `json:"how_peers_are_found"`
}

// AgentLine is one agent of a version.
type AgentLine struct {
	Agent    string                   `json:"agent"`
	Group    string                   `json:"group"`
	State    schema.BaselineState     `json:"state"`
	Why      string                   `json:"why"`
	Runs     uint64                   `json:"runs"`
	Calls    uint64                   `json:"calls"`
	TaughtAt string                   `json:"taught_at,omitempty"`
	SeenAt   string                   `json:"seen_at,omitempty"`
	Left     map[string]uint64        `json:"left_out,omitempty"`
	Carried  string                   `json:"carried_from,omitempty"`
	Bounded  float64                  `json:"drift_let_through,omitempty"`
	Growth   *baseline.Growth         `json:"growth,omitempty"`
	Version  string                   `json:"agent_version,omitempty"`
	Versions []baseline.VersionStatus `json:"agent_versions,omitempty"`
	Tasks    []baseline.TaskStatus    `json:"task_types,omitempty"`
	Order    *schema.BaselineOrder    `json:"order,omitempty"`
	Learned  schema.Learned           `json:"learned"`
}

const peersFound = "peers are agents whose ids share what comes before the first slash; people are compared with people; a name with " +
	"~ was only asserted by its caller and is kept apart"

// NewBody returns a version in the form for printing. tripShare is the share of clean runs that may trip.
func NewBody(b *baseline.Baseline, tripShare float64) *BaselineSummary {
	out := &BaselineSummary{
		Version:    b.Version,
		Tenant:     b.Tenant,
		MadeAt:     at(b.MadeAt),
		Since:      at(b.Since),
		Until:      at(b.Until),
		Quarantine: time.Duration(b.Provenance.Quarantine).String(),
		Parent:     b.Provenance.Parent,
		Code:       b.Provenance.Code,
		Pin:        b.Provenance.Pin,
		Runs:       b.Runs,
		Calls:      b.Calls,
		Left:       b.Provenance.Excluded,
		Pace:       paceOf(b.CallRates),
		People:     peopleOf(b.People),
		Agents:     []AgentLine{},
		Peers:      peersFound,
	}
	learned := b.LearnedAgents()
	out.Classes = classLines(b, learned, tripShare)
	for _, name := range b.AgentNames() {
		out.Agents = append(out.Agents, lineOf(b, name, learned[name]))
	}
	return out
}

func lineOf(b *baseline.Baseline, agent string, learned schema.Learned) AgentLine {
	state, why := b.AgentState(agent)
	l := b.Status[agent]
	return AgentLine{
		Agent:    agent,
		Group:    b.AgentGroup(agent),
		State:    state,
		Why:      why,
		Runs:     l.Runs,
		Calls:    l.Calls,
		TaughtAt: at(l.TaughtAt),
		SeenAt:   at(l.SeenAt),
		Left:     l.Excluded,
		Carried:  l.CarriedFrom,
		Bounded:  l.DriftAllowed,
		Growth:   l.Growth,
		Version:  l.Version,
		Versions: b.Versions[agent],
		Tasks:    b.Tasks[agent],
		Order:    l.Order,
		Learned:  learned,
	}
}

// Baseline prints a version.
func Baseline(w io.Writer, b *BaselineSummary) error {
	Printf(
		w,
		"version     %s\nmade        %s UTC by %s, after %s\nlearned of  %d runs, %d calls, last called from %s to %s UTC (quarantine %s)\n",
		b.Version,
		Second(b.MadeAt),
		Dash(b.Code),
		Dash(b.Parent),
		b.Runs,
		b.Calls,
		Second(b.Since),
		Second(b.Until),
		b.Quarantine,
	)
	if len(b.Left) > 0 {
		Printf(w, "left out    %s\n", reasons(b.Left))
	}
	if len(b.Pin) > 0 {
		var parts []string
		for _, p := range slices.Sorted(maps.Keys(b.Pin)) {
			parts = append(parts, fmt.Sprintf("%d: %d", p, b.Pin[p]))
		}
		Printf(w, "pinned      below these offsets of flyball.calls: %s\n", strings.Join(parts, ", "))
	}
	printPace(w, b.Pace)
	printPeople(w, b.People)
	Printf(w, "peers       %s\n\n", b.Peers)
	const head = "AGENT | PEERS??? | ACQUAINTANCE | OWN RUNS | PEERS' RUNS?? | UNTIL IT IS KNOWN? | STATE?? | WHY??? | CALLS??? | " +
		"LAST TAUGHT (UTC)???? | LEFT OUT????"
	err := Table(w, head, func(row func(...any)) {
		for i := range b.Agents {
			l, known := &b.Agents[i], &b.Agents[i].Learned
			row(
				Dash(l.Agent),
				Dash(l.Group),
				known.Acquaintance,
				wording.OwnRuns(known),
				Prose(wording.PeerRuns(known)),
				Prose(wording.Wait(known)),
				l.State,
				l.Why,
				l.Calls,
				Second(l.TaughtAt),
				Dash(reasons(l.Left)),
			)
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(w)
	return classes(w, b.Classes)
}

func reasons(left map[string]uint64) string {
	var out []string
	for _, why := range slices.Sorted(maps.Keys(left)) {
		out = append(out, fmt.Sprintf("%d %s", left[why], why))
	}
	return strings.Join(out, ", ")
}
