package report

import (
	"fmt"
	"io"
	"strings"

	"flyball/detect/model/baseline"
	"flyball/schema"
	"flyball/schema/wording"
)

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
		Thresholds: thresholds(b.Thresholds().Levels(learned.Acquaintance, learned.Group, tripShare))}
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
	baseline.WhyGrown: fmt.Sprintf(
		"its runs do more than %d times what they did: its later runs teach nothing until somebody has looked and resets it, or for %d days",
		baseline.GrowthFactor, int(baseline.GrowthPeriod.Hours()/24),
	),
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
	if g := a.Growth; g != nil && g.HeldSince > 0 {
		Printf(w, "grown       %s: %.4g on average, %.4g before %s UTC; runs after %s UTC teach nothing\n", g.What, g.Is, g.Was,
			Second(at(g.Since)), Second(at(g.HeldSince)))
		Printf(w, "            look at its runs (flyball runs --agent %s); if they are meant: flyball baselines reset %s\n", a.Agent, a.Agent)
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
	return Table(w, "USUAL | OF THE AGENT | WHOSE | PEERS | HUMANS?", func(row func(...any)) {
		for _, f := range a.Usual {
			what := f.What + " in a run (median)"
			if f.Share {
				what = "calls that " + f.What
			}
			unit := figureUnit(f.What, f.Share)
			row(Prose(what), figure(f.Own, unit), Prose(wording.Median(f.OwnOf)), figure(f.Peers, unit), figure(f.Humans, unit))
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
