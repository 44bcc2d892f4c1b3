package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"flyball/detect/evaluate"
	"flyball/schema/wording"
)

// Nominal rates of false alarms in an evaluation: in 100 clean runs, and in 1,000.
const (
	rate1   = "0.01"
	rate01  = "0.001"
	rate001 = "0.0001"
)

// Eval prints the quality of the detector on labelled data.
func Eval(w io.Writer, r *evaluate.Report) error {
	Printf(w, "%s judged by what %s teaches, the %s view, in %.0f s\n\n", r.Test, r.Train, r.View, r.Seconds)
	return Lines(w, func(row func(...any)) {
		evalClean(row, r)
		row()
		evalDelays(row, r)
		row()
		evalGrowth(row, r.Growth)
		row("natural runaways", "", r.Natural.Runs, r.Natural.Detected[rate1], r.Natural.Detected[rate01])
		row()
		evalHijacks(row, r)
		evalEvasions(row, r)
		if l := r.Lengths; l != nil {
			row(fmt.Sprintf("of %d run lengths beyond a nominal 1 | 0.1 | 0.01 %%", l.Runs), "", "",
				fmt.Sprintf("%s | %s | %s", percent(l.Achieved[rate1]), percent(l.Achieved[rate01]), percent(l.Achieved[rate001])))
		}
		for _, m := range r.Many {
			row(fmt.Sprintf("of runs %s run away: %s", percent(m.Runaways), m.Way), "", "", "false in 1,000 clean runs "+figureOrNever(&m.Per1000),
				"false among alarms "+percent(m.FDP), "seen "+percent(m.Seen))
		}
		for _, share := range slices.Sorted(maps.Keys(r.Poisoning)) {
			row("poisoned by "+share, "", "", "AUROC lost "+figureOrNever(r.Poisoning[share].Lost))
		}
		evalSharedCredentials(row, r.SharedCredential)
		row("nothing | chance", "", "", "recall 0 | "+percent(r.Random.Recall[rate1]))
		for _, m := range r.Missing {
			row("not measured", m)
		}
	})
}

// evalClean prints the shares of clean runs that alarm: of agents that were learned, beside those that were not.
func evalClean(row func(...any), r *evaluate.Report) {
	rates := func(name string, of evaluate.Rates) {
		row(name, of.Runs, shareWithin(of.Achieved[rate1], of.Wilson[rate1]), shareWithin(of.Achieved[rate01], of.Wilson[rate01]))
	}
	sets := func(name string, of evaluate.Rates) {
		for _, set := range slices.Sorted(maps.Keys(of.Sets)) {
			w := of.SetWilson[set]
			row(name+" of "+set, "", shareWithin(of.Sets[set][0], w[rate1]), shareWithin(of.Sets[set][1], w[rate01]))
		}
	}
	row("clean and resisted runs that alarm", "runs", "at 1 %", "at 0.1 %")
	rates("unseen tasks and agents", r.Clean.Rates)
	row("in (agent, task) cells", "", r.Clean.Cells[rate1], r.Clean.Cells[rate01])
	sets("runs", r.Clean.Rates)
	for _, class := range slices.Sorted(maps.Keys(r.Clean.Acquaintance)) {
		rates("class "+class, r.Clean.Acquaintance[class])
	}
	if n := r.NewAgents; n != nil {
		rates("new agents, each left out of its peers", n.Rates)
		sets("new agents", n.Rates)
	}
	if s := r.Strangers; s != nil {
		rates("strangers, each peer group left out", s.Rates)
		for _, group := range slices.Sorted(maps.Keys(s.Groups)) {
			rates("strangers "+group, s.Groups[group])
		}
	}
	row("the 1 % longest", "", "", percent(r.Clean.Longest))
	row("actors alarm in 1,000 clean runs", "", "", fmt.Sprintf("%.2f", r.Clean.Actor))
	if r.Clean.NoLoops != nil {
		row("of them without a loop that nobody labelled", "", "", percent(*r.Clean.NoLoops))
	}
}

// evalDelays prints the number of calls between the onset of a runaway and its alarm.
func evalDelays(row func(...any), r *evaluate.Report) {
	row("calls from onset to alarm", "pace", "runs", "median (90 %) at 1 %", "at 0.1 %", "seen at 0.1 %",
		"strangers at 1 %", "at 0.1 %", "seen at 0.1 %")
	for _, s := range r.Scenarios {
		if s.Speed != "all" && s.Kind != "slow_loop" {
			continue
		}
		a, b := s.Levels[rate1], s.Levels[rate01]
		cells := []any{s.Kind, s.Speed, s.Runs, delays(a.Median, a.P90), delays(b.Median, b.P90), percent(b.Detected)}
		if r.Strangers != nil {
			for _, x := range r.Strangers.Scenarios {
				if a, b := x.Levels[rate1], x.Levels[rate01]; x.Kind == s.Kind && x.Speed == s.Speed {
					cells = append(cells, delays(a.Median, a.P90), delays(b.Median, b.P90), percent(b.Detected))
				}
			}
		}
		row(cells...)
	}
	for _, s := range r.BySet {
		a, b := s.Levels[rate1], s.Levels[rate01]
		row(s.Kind+" of "+s.Set, s.Speed, s.Runs, delays(a.Median, a.P90), delays(b.Median, b.P90), percent(b.Detected))
	}
}

// evalGrowth prints how populations become known that nobody has learned, and what a new baseline changes.
func evalGrowth(row func(...any), g *evaluate.Growth) {
	if g == nil {
		return
	}
	counts := func(name string, by map[string]evaluate.GrowthCount) {
		for _, class := range slices.Sorted(maps.Keys(by)) {
			c := by[class]
			row(name, class, c.Runs, ofRuns(c.Alarms[rate1], c.Runs), ofRuns(c.Alarms[rate01], c.Runs))
		}
	}
	row(fmt.Sprintf("populations grow, learned after every %d runs", g.Every), "class", "runs", "alarm at 1 %", "at 0.1 %")
	counts(fmt.Sprintf("their first %d runs", g.Runs), g.Acquaintance)
	for i := range g.Steps {
		s := &g.Steps[i]
		counts(fmt.Sprintf("%d runs learned: the next %d", s.Learned, g.Every), s.Own)
		counts(fmt.Sprintf("%d runs learned: all others", s.Learned), s.Others)
	}
	row()
	row("a new baseline, for the same calls", "", "runs", "rise at 1 %", "at 0.1 %", "fall at 1 %", "at 0.1 %", "open runs that rise", "storm")
	for _, name := range slices.Sorted(maps.Keys(g.Changes)) {
		c := g.Changes[name]
		storm := "no"
		if c.Storm {
			storm = "yes"
		}
		row(name, "", c.Runs, ofRuns(c.Rises[rate1], c.Runs), ofRuns(c.Rises[rate01], c.Runs), ofRuns(c.Falls[rate1], c.Runs),
			ofRuns(c.Falls[rate01], c.Runs), fmt.Sprintf("%d | %d", c.Open[rate1], c.Open[rate01]), storm)
	}
	row()
}

// ofRuns returns a number of runs, and its share in brackets.
func ofRuns(n, of int) string {
	return fmt.Sprintf("%d (%s)", n, percent(float64(n)/float64(max(of, 1))))
}

func evalHijacks(row func(...any), r *evaluate.Report) {
	for _, h := range r.Hijack {
		if h.Rule != nil {
			row("hijacked, by the rule "+h.Scope, "", h.Runs, "recall "+percent(h.Rule.Recall), "on time "+percent(h.Rule.OnTime),
				fmt.Sprintf("held of clean %s, of resisted %s", percent(h.Rule.FPR), percent(h.Rule.FPRIgnored)))
			continue
		}
		row("hijacked, by scores", "", h.Runs, "AUROC "+figureOrNever(h.AUROC),
			"recall "+percent(h.Recall[rate1])+" | "+percent(h.Recall[rate01]), "on time "+percent(h.OnTime[rate1])+" | "+percent(h.OnTime[rate01]))
	}
}

func evalEvasions(row func(...any), r *evaluate.Report) {
	for _, e := range r.Evasion {
		a, b := e.Levels[rate1], e.Levels[rate01]
		row(fmt.Sprintf("%s, hidden by %s: bad calls", e.Kind, e.Way), "", e.Runs, delays(a.Median, a.P90), delays(b.Median, b.P90),
			percent(b.Detected), delays(e.Actor.Median, e.Actor.P90), percent(e.Actor.Detected))
	}
}

// evalSharedCredentials prints how well machines that use people's credentials are
// distinguished from people.
func evalSharedCredentials(row func(...any), b *evaluate.SharedCredential) {
	if b == nil {
		return
	}
	within := func(share *float64, interval *[2]float64) string {
		if share == nil || interval == nil {
			return wording.NothingLearned
		}
		return shareWithin(*share, *interval)
	}
	row()
	row(
		fmt.Sprintf("machines in people's names: suspected at %s of people's sessions", percent(b.Share)),
		"by",
		"sessions (identities)",
		"AUROC",
		"recall",
		"people suspected",
		"nothing learned of",
	)
	for _, s := range b.Sets {
		name := s.Set
		if len(s.People) != 1 || s.People[0] != s.Set {
			name += ", people of " + strings.Join(s.People, " and ")
		}
		row(name, strings.ReplaceAll(s.By, "_", " "),
			fmt.Sprintf("%d (%d) of %d (%d)", s.Machines, s.MachineIdentities, s.Humans, s.HumanIdentities), figureOrNever(s.AUROC),
			within(s.Recall, s.RecallWilson), within(s.False, s.FalseWilson),
			fmt.Sprintf("%d of %d", s.AbstainedMachines+s.AbstainedHumans, s.Machines+s.Humans))
	}
	row()
}

// shareWithin returns a share and its 95 % interval.
func shareWithin(share float64, interval [2]float64) string {
	return percent(share) + " (" + percent(interval[0]) + " to " + percent(interval[1]) + ")"
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'g', 3, 64) + " %" }

// figureOrNever returns the text of a figure, or "never" if it is nil.
func figureOrNever(x *float64) string {
	if x == nil {
		return "never"
	}
	return strconv.FormatFloat(*x, 'g', 3, 64)
}

// delays returns a median, with the 90th percentile in brackets.
func delays(median, p90 *float64) string {
	return figureOrNever(median) + " (" + figureOrNever(p90) + ")"
}
