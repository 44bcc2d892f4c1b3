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

// evalClean prints the number of clean runs with an alarm.
func evalClean(row func(...any), r *evaluate.Report) {
	achieved := func(rate string) string {
		return percent(r.Clean.Achieved[rate]) + " (" + percent(r.Clean.Wilson[rate][0]) + " to " + percent(r.Clean.Wilson[rate][1]) + ")"
	}
	row(fmt.Sprintf("of %d clean and resisted runs alarm at", r.Clean.Runs), "1 %", "0.1 %")
	row("achieved", achieved(rate1), achieved(rate01))
	row("in (agent, task) cells", r.Clean.Cells[rate1], r.Clean.Cells[rate01])
	row("the 1 % longest", "", percent(r.Clean.Longest))
	row("actors alarm in 1,000 clean runs", "", fmt.Sprintf("%.2f", r.Clean.Actor))
	if r.Clean.NoLoops != nil {
		row("of them without a loop that nobody labelled", "", percent(*r.Clean.NoLoops))
	}
}

// evalDelays prints the number of calls between the onset of a runaway and its alarm.
func evalDelays(row func(...any), r *evaluate.Report) {
	row("calls from onset to alarm", "pace", "runs", "median (90 %) at 1 %", "at 0.1 %", "seen at 0.1 %")
	for _, s := range r.Scenarios {
		if s.Speed != "all" && s.Kind != "slow_loop" {
			continue
		}
		a, b := s.Levels[rate1], s.Levels[rate01]
		row(s.Kind, s.Speed, s.Runs, delays(a.Median, a.P90), delays(b.Median, b.P90), percent(b.Detected))
	}
	for _, s := range r.BySet {
		a, b := s.Levels[rate1], s.Levels[rate01]
		row(s.Kind+" of "+s.Set, s.Speed, s.Runs, delays(a.Median, a.P90), delays(b.Median, b.P90), percent(b.Detected))
	}
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
		return percent(*share) + " (" + percent(interval[0]) + " to " + percent(interval[1]) + ")"
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
