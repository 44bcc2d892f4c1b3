package report

import (
	"fmt"
	"io"
	"slices"

	"flyball/detect/model/baseline"
	"flyball/schema"
	"flyball/schema/wording"
)

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
				Prose(c.What),
				figure(schema.OptionalFloat(c.Was), figureUnit(c.What, c.Share)),
				figure(schema.OptionalFloat(c.Is), figureUnit(c.What, c.Share)),
				wording.Figure(c.Factor, wording.Plain),
			)
		}
	})
}
