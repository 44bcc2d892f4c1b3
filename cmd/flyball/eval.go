package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/cmd/internal/tools/labelled"
	"flyball/detect/evaluate"
)

func evalCommand(o *options) *cobra.Command {
	var train, test, cv, view string
	cmd := &cobra.Command{Use: "eval --train DIR --test DIR", Short: "How good the detector is, on labelled data: the one that `detect` runs, call by call; starts no servers", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		shown, known := labelled.Views[view]
		if !known {
			return usage(fmt.Errorf("--view: %q is none of full, gateway, access", view))
		}
		if (cv == "") == (train == "" || test == "") {
			return usage(errors.New("--train and --test, or --cv alone: folders with agentdojo, tau and runaways"))
		}
		began := time.Now()
		var folds []evaluate.Fold
		if cv != "" {
			train, test = cv, cv
			sets, err := readSets(cv, shown)
			if err != nil {
				return err
			}
			folds = crossed(sets)
		} else {
			teach, err := readSets(train, shown)
			if err != nil {
				return err
			}
			judge, err := readSets(test, shown)
			if err != nil {
				return err
			}
			folds = []evaluate.Fold{{Train: cleanOf(teach.real), Test: judge.real, Runaways: judge.runaways, Poison: hijackedOf(teach.real)}}
		}
		progress := progressTo()
		result := evaluate.Evaluate(folds, view, func(done, of int) {
			fmt.Fprintf(progress, "\rfold %d of %d, %s", done, of, time.Since(began).Round(time.Second))
		})
		fmt.Fprintln(progress)
		if err := runLengths(&result, test); err != nil {
			return err
		}
		if err := suspicions(&result, train, test, view); err != nil {
			return err
		}
		result.Train, result.Test, result.Seconds = filepath.Base(train), filepath.Base(test), time.Since(began).Seconds()
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), result)
		}
		return printEval(cmd.OutOrStdout(), &result)
	}}
	cmd.Flags().StringVar(&train, "train", "", "folder whose clean runs teach")
	cmd.Flags().StringVar(&test, "test", "", "folder that is judged")
	cmd.Flags().StringVar(&cv, "cv", "", "one folder instead: four folds by unseen tasks and unseen agents")
	cmd.Flags().StringVar(&view, "view", "full", "full; gateway: without the digest of arguments and the task; or access: without bodies too")
	return cmd
}

// sets of a data folder, as the detector sees them.
type sets struct{ real, runaways []*evaluate.Labelled }

func readSets(dir string, view labelled.View) (out sets, err error) {
	found := 0
	for _, name := range []string{"agentdojo", "tau", "runaways"} {
		runs, err := labelled.Examples(filepath.Join(dir, name), view)
		if err != nil {
			return out, err
		}
		found += len(runs)
		for i := range runs {
			if name == "runaways" {
				out.runaways = append(out.runaways, runs[i].ForEvaluation())
			} else {
				out.real = append(out.real, runs[i].ForEvaluation())
			}
		}
	}
	if found == 0 {
		return out, usage(fmt.Errorf("%s: none of agentdojo, tau, runaways is there", dir))
	}
	return out, nil
}

func cleanOf(runs []*evaluate.Labelled) (out []*evaluate.Labelled) {
	for _, r := range runs {
		if len(r.Calls) > 0 && r.Clean() {
			out = append(out, r)
		}
	}
	return out
}

func hijackedOf(runs []*evaluate.Labelled) (out []*evaluate.Labelled) {
	for _, r := range runs {
		if len(r.Calls) > 0 && r.Hijacked() {
			out = append(out, r)
		}
	}
	return out
}

// crossed makes four folds: what is judged is of a task or an agent that did not teach.
func crossed(s sets) (folds []evaluate.Fold) {
	const n = 4
	part := func(name string) int {
		sum := sha256.Sum256([]byte(name))
		v, _ := strconv.ParseUint(hex.EncodeToString(sum[:])[:13], 16, 64)
		return int(float64(v) / (1 << 52) * n)
	}
	for k := range n {
		var f evaluate.Fold
		tested := map[string]bool{}
		var rest []*evaluate.Labelled
		for _, r := range s.real {
			if part("T"+r.Task) == k || part("A"+r.Agent) == k {
				f.Test = append(f.Test, r)
				tested[r.ID] = true
			} else {
				rest = append(rest, r)
			}
		}
		f.Train, f.Poison = cleanOf(rest), hijackedOf(rest)
		for _, r := range s.runaways {
			if tested[r.Base] {
				f.Runaways = append(f.Runaways, r)
			}
		}
		folds = append(folds, f)
	}
	return folds
}

func printEval(out io.Writer, r *evaluate.Report) error {
	percent := func(x float64) string { return strconv.FormatFloat(100*x, 'g', 3, 64) + " %" }
	number := func(x *float64) string {
		if x == nil {
			return "never"
		}
		return strconv.FormatFloat(*x, 'g', 3, 64)
	}
	fmt.Fprintf(out, "%s judged by what %s teaches, the %s view, in %.0f s\n\n", r.Test, r.Train, r.View, r.Seconds)
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "of %d clean and resisted runs alarm at\t1 %%\t0.1 %%\n", r.Clean.Runs)
	wilson := func(level string) string {
		i := r.Clean.Wilson[level]
		return percent(r.Clean.Achieved[level]) + " (" + percent(i[0]) + " to " + percent(i[1]) + ")"
	}
	fmt.Fprintf(w, "achieved\t%s\t%s\nin (agent, task) cells\t%d\t%d\n", wilson("0.01"), wilson("0.001"), r.Clean.Cells["0.01"], r.Clean.Cells["0.001"])
	fmt.Fprintf(w, "the 1 %% longest\t\t%s\n", percent(r.Clean.Longest))
	fmt.Fprintf(w, "actors alarm in 1,000 clean runs\t\t%.2f\n", r.Clean.Actor)
	if r.Clean.NoLoops != nil {
		fmt.Fprintf(w, "of them without a loop that nobody labelled\t\t%s\n", percent(*r.Clean.NoLoops))
	}
	fmt.Fprintln(w, "\ncalls from onset to alarm\tpace\truns\tmedian (90 %) at 1 %\tat 0.1 %\tseen at 0.1 %")
	for _, s := range r.Scenarios {
		if s.Speed != "all" && s.Kind != "slow_loop" {
			continue
		}
		a, b := s.Levels["0.01"], s.Levels["0.001"]
		fmt.Fprintf(w, "%s\t%s\t%d\t%s (%s)\t%s (%s)\t%s\n", s.Kind, s.Speed, s.Runs, number(a.Median), number(a.P90), number(b.Median), number(b.P90), percent(b.Detected))
	}
	for _, s := range r.BySet {
		a, b := s.Levels["0.01"], s.Levels["0.001"]
		fmt.Fprintf(w, "%s of %s\t%s\t%d\t%s (%s)\t%s (%s)\t%s\n", s.Kind, s.Set, s.Speed, s.Runs, number(a.Median), number(a.P90), number(b.Median), number(b.P90), percent(b.Detected))
	}
	fmt.Fprintf(w, "\nnatural runaways\t\t%d\t%d\t%d\n\n", r.Natural.Runs, r.Natural.Detected["0.01"], r.Natural.Detected["0.001"])
	for _, h := range r.Hijack {
		if h.Rule == nil {
			fmt.Fprintf(w, "hijacked, by scores\t\t%d\tAUROC %s\trecall %s | %s\ton time %s | %s\n", h.Runs, number(h.AUROC), percent(h.Recall["0.01"]), percent(h.Recall["0.001"]), percent(h.OnTime["0.01"]), percent(h.OnTime["0.001"]))
			continue
		}
		fmt.Fprintf(w, "hijacked, by the rule %s\t\t%d\trecall %s\ton time %s\theld of clean %s, of resisted %s\n", h.Scope, h.Runs, percent(h.Rule.Recall), percent(h.Rule.OnTime), percent(h.Rule.FPR), percent(h.Rule.FPRIgnored))
	}
	for _, e := range r.Evasion {
		a, b := e.Levels["0.01"], e.Levels["0.001"]
		fmt.Fprintf(w, "%s, hidden by %s: bad calls\t\t%d\t%s (%s)\t%s (%s)\t%s\t%s (%s)\t%s\n", e.Kind, e.Way, e.Runs, number(a.Median), number(a.P90), number(b.Median), number(b.P90), percent(b.Detected), number(e.Actor.Median), number(e.Actor.P90), percent(e.Actor.Detected))
	}
	if r.Lengths != nil {
		fmt.Fprintf(w, "of %d run lengths beyond a nominal 1 | 0.1 | 0.01 %%\t\t\t%s | %s | %s\n", r.Lengths.Runs, percent(r.Lengths.Achieved["0.01"]), percent(r.Lengths.Achieved["0.001"]), percent(r.Lengths.Achieved["0.0001"]))
	}
	for _, m := range r.Many {
		fmt.Fprintf(w, "of runs %s run away: %s\t\t\tfalse in 1,000 clean runs %s\tfalse among alarms %s\tseen %s\n", percent(m.Runaways), m.Way, number(&m.Per1000), percent(m.FDP), percent(m.Seen))
	}
	for share, p := range r.Poisoning {
		fmt.Fprintf(w, "poisoned by %s\t\t\tAUROC lost %s\n", share, number(p.Lost))
	}
	printBorrowed(w, r.SharedCredential, percent, number)
	fmt.Fprintf(w, "nothing | chance\t\t\trecall 0 | %s\n", percent(r.Random.Recall["0.01"]))
	for _, m := range r.Missing {
		fmt.Fprintf(w, "not measured\t%s\n", m)
	}
	return w.Flush()
}
