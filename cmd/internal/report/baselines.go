package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"flyball/detect/evaluate"
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
		_, err := fmt.Fprintln(w, "No baseline yet: runs are scored once learn.min_runs of them have been closed for learn.quarantine, "+
			"or at once with flyball learn --once.")
		return err
	}
	return Table(
		w,
		"VERSION | MADE (UTC) | IN FORCE | RUNS | CALLS | AGENTS | KNOWN | NEW | STRANGERS | LEARNING | ACTIVE | STALE | FROZEN | KiB",
		func(row func(...any)) {
			for _, v := range list {
				if v.Error != "" {
					row(v.Version, "-", "no", v.Error)
					continue
				}
				known := v.Acquaintance
				row(
					v.Version,
					Second(v.MadeAt),
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
	const head = "AGENT | PEERS | ACQUAINTANCE | OWN RUNS | PEERS' RUNS | UNTIL IT IS KNOWN | STATE | WHY | CALLS | " +
		"LAST TAUGHT (UTC) | LEFT OUT"
	err := Table(w, head, func(row func(...any)) {
		for i := range b.Agents {
			l, known := &b.Agents[i], &b.Agents[i].Learned
			row(
				Dash(l.Agent),
				Dash(l.Group),
				known.Acquaintance,
				wording.OwnRuns(known),
				wording.PeerRuns(known),
				Dash(wording.Wait(known)),
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

// Agent is one agent's part of a version.
type Agent struct {
	AgentLine
	Baseline  string                       `json:"baseline"`
	Usual     []baseline.Figure            `json:"usual"`
	Pace      AgentPace                    `json:"pace"`
	TaskUsual map[string][]baseline.Figure `json:"task_types_usual,omitempty"` // by type
	Peers     string                       `json:"how_peers_are_found"`
	// Thresholds are those of the agent's class and peer group.
	Thresholds Thresholds `json:"thresholds"`
}

// NewAgent returns one agent's part of a version in the form for printing. known is false if
// the version has no part for this agent. tripShare is the share of clean runs that may trip.
func NewAgent(b *baseline.Baseline, agent string, tripShare float64) (out *Agent, known bool) {
	_, there := b.Status[agent]
	learned, taught := b.LearnedAgents()[agent]
	if !taught {
		learned = b.LearnedOfNewcomer(b.AgentGroup(agent))
	}
	out = &Agent{AgentLine: lineOf(b, agent, learned), Baseline: b.Version, Usual: b.UsualFigures(agent, b.AgentGroup(agent)),
		Pace: agentPace(b, agent), Peers: peersFound,
		Thresholds: thresholds(b.Levels(learned.Acquaintance, learned.Group, tripShare))}
	for _, t := range b.Tasks[agent] {
		if out.TaskUsual == nil {
			out.TaskUsual = map[string][]baseline.Figure{}
		}
		out.TaskUsual[t.Type] = b.UsualFigures(baseline.TaskKey(agent, t.Type), out.Group)
	}
	return out, there || b.Has(agent)
}

var whyWords = map[string]string{
	baseline.WhyFewRuns: fmt.Sprintf(
		"fewer than %d clean runs taught it: its peers' figures weigh more than its own",
		baseline.MinAgentRuns,
	),
	baseline.WhyReset: "an operator had it forgotten; it learns anew, and its peers' figures weigh more until then",
	baseline.WhyNewVersion: fmt.Sprintf(
		"the version that it runs now taught it fewer than %d runs: these runs are compared with its peers more than with its past",
		baseline.MinAgentRuns,
	),
	baseline.WhyTaught:   "its own past is what it is compared with",
	baseline.WhyUntaught: fmt.Sprintf("it calls, and nothing has taught it for more than %d days", int(baseline.StaleAfter.Hours()/24)),
	baseline.WhyIncident: "an incident is open on it: nothing teaches it until somebody judges the finding, or a day after it ended",
	baseline.WhyOperator: "an operator froze it",
}

// AgentBaseline prints one agent's part of a version.
func AgentBaseline(w io.Writer, a *Agent) error {
	Printf(w, "agent       %s\nbaseline    %s\nstate       %s (%s): %s\n", a.Agent, a.Baseline, a.State, a.Why, whyWords[a.Why])
	l := &a.Learned
	Printf(w, "class       %s: %s\n", l.Acquaintance, wording.Acquaintance(l.Acquaintance))
	Printf(w, "            own runs %s; peers %s\n", wording.OwnRuns(l), wording.PeerRuns(l))
	t := &a.Thresholds
	Printf(w, "            annotate above %s, alert above %s, trip above %s\n", threshold(t.Annotate), threshold(t.Alert), threshold(t.Trip))
	if l.Uncalibrated != "" {
		Printf(w, "            %s\n", wording.Uncalibrated(l.Uncalibrated))
	}
	if wait := wording.Wait(l); wait != "" {
		Printf(w, "            until it is known: %s\n", wait)
	}
	if o := a.Order; o != nil {
		until := ""
		if o.Until > 0 {
			until = ", until " + Second(at(o.Until)) + " UTC"
		}
		Printf(w, "ordered     %s by %s at %s UTC%s: %s\n", o.Kind, o.By, Second(at(o.At)), until, o.Why)
	}
	Printf(w, "taught by   %d runs, %d calls, the last at %s UTC; last seen %s UTC\n", a.Runs, a.Calls, Second(a.TaughtAt), Second(a.SeenAt))
	if a.Carried != "" {
		Printf(w, "counts of   %s, carried over\n", a.Carried)
	}
	if a.Bounded > 0 {
		Printf(
			w,
			"drift       its runs differ by more than a day may change (%d times): %.2g %% of the difference is applied\n",
			baseline.DriftPerDay,
			100*a.Bounded,
		)
	}
	if len(a.Left) > 0 {
		Printf(w, "left out    %s\n", reasons(a.Left))
	}
	for _, v := range a.Versions {
		Printf(w, "version     %s: %d runs, last seen %s UTC\n", v.Version, v.Runs, Second(at(v.SeenAt)))
	}
	for _, t := range a.Tasks {
		Printf(w, "task type   %q: %d runs; usual %s\n", t.Type, t.Runs, usualOf(a.TaskUsual[t.Type]))
	}
	printAgentPace(w, a.Pace)
	Printf(w, "peers       group %s: %s\n\n", Dash(a.Group), a.Peers)
	return Table(w, "USUAL | OF THE AGENT | WHOSE | PEERS | HUMANS", func(row func(...any)) {
		for _, f := range a.Usual {
			what := f.What + " in a run (median)"
			if f.Share {
				what = "calls that " + f.What
			}
			unit := figureUnit(f.What, f.Share)
			row(what, figure(f.Own, unit), Dash(wording.Median(f.OwnOf)), figure(f.Peers, unit), figure(f.Humans, unit))
		}
	})
}

// usualOf returns the usual figures as one line.
func usualOf(of []baseline.Figure) string {
	var out []string
	for _, f := range of {
		if !f.Own.IsZero() && !f.Share {
			out = append(out, figure(f.Own, wording.Plain)+" "+f.What)
		}
	}
	for _, f := range of {
		if !f.Own.IsZero() && f.Share {
			out = append(out, figure(f.Own, wording.Share)+" "+f.What)
		}
	}
	return strings.Join(out, ", ")
}

func figure(k schema.OptionalFloat, unit wording.Unit) string {
	return wording.Figure(float64(k), unit)
}

// figureUnit returns the unit of a usual figure.
func figureUnit(what string, share bool) wording.Unit {
	switch {
	case share:
		return wording.Share
	case what == "bytes given":
		return wording.Bytes
	case what == "money moved":
		return wording.Money
	case what == "tokens":
		return wording.Tokens
	}
	return wording.Calls
}

// Differences are the changes from one version to another.
type Differences struct {
	From    string                  `json:"from"`
	To      string                  `json:"to"`
	States  []StateChange           `json:"states"`
	Changes []baseline.FigureChange `json:"changes"` // changes of agents in both versions, the largest first
}

// StateChange is a change of an agent's state, or an agent that is in only one of the
// versions.
type StateChange struct {
	Agent string `json:"agent"`
	Was   string `json:"was"` // empty: not in the older version
	Is    string `json:"is"`  // empty: not in the newer version
}

// CompareBaselines returns the differences of two versions. An empty agent selects all agents;
// limit is the maximum number of changes.
func CompareBaselines(was, is *baseline.Baseline, agent string, limit int) *Differences {
	out := &Differences{From: was.Version, To: is.Version, States: []StateChange{}, Changes: baseline.CompareFigures(was, is, agent)}
	out.Changes = out.Changes[:min(len(out.Changes), max(limit, 0))]
	names := append(was.AgentNames(), is.AgentNames()...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		a, b := stateIn(was, name), stateIn(is, name)
		if a != b && (agent == "" || name == agent) {
			out.States = append(out.States, StateChange{name, a, b})
		}
	}
	return out
}

func stateIn(b *baseline.Baseline, agent string) string {
	if _, there := b.Status[agent]; !there && !b.Has(agent) {
		return ""
	}
	state, why := b.AgentState(agent)
	return state.String() + " (" + why + ")"
}

// Difference prints the changes.
func Difference(w io.Writer, d *Differences) error {
	for _, s := range d.States {
		Printf(w, "%s: %s, was %s\n", Dash(s.Agent), Dash(s.Is), Dash(s.Was))
	}
	if len(d.States) > 0 {
		fmt.Fprintln(w)
	}
	return Table(w, "AGENT | WHAT | WAS | IS | TIMES", func(row func(...any)) {
		for _, c := range d.Changes {
			row(
				Dash(c.Agent),
				c.What,
				figure(schema.OptionalFloat(c.Was), figureUnit(c.What, c.Share)),
				figure(schema.OptionalFloat(c.Is), figureUnit(c.What, c.Share)),
				wording.Figure(c.Factor, wording.Plain),
			)
		}
	})
}

// Rescored prints a run that was scored again.
func Rescored(w io.Writer, r *evaluate.Rescored) error {
	as := baseline.DisplayName(r.Key)
	Printf(
		w,
		"run       %s of %s, %d calls\nbaseline  %s\ncompared  as %s (%s)\nstored    %.9g by %s\nagain     %.9g (%s)\n",
		r.RunID,
		Dash(r.Agent),
		r.Calls,
		r.Baseline,
		Dash(as),
		r.Why,
		r.Score,
		Dash(r.StoredScore.Baseline),
		r.Again,
		r.Family,
	)
	switch {
	case r.Same:
		fmt.Fprintln(w, "the same, within 1e-9")
	case r.Caveat != "":
		Printf(w, "not the same: %s\n", r.Caveat)
	default:
		fmt.Fprintln(w, "NOT the same")
	}
	return nil
}
