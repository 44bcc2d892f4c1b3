package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/cmd/internal/tools/labelled"
	"flyball/detect/evaluate"
	"flyball/detect/learn"
)

// evalFlags are those of `eval`.
type evalFlags struct {
	train, test, cv, view string
	growth                bool
}

func evalCommand(o *options) *cobra.Command {
	var f evalFlags
	a := answer[*evaluate.Report]{query: func(*request) (*evaluate.Report, error) { return runEval(f) },
		table: report.Eval}
	cmd := &cobra.Command{Use: "eval --train DIR --test DIR", Args: cobra.NoArgs, RunE: a.run(o),
		Short: "Measure the detector that `detect` runs on labelled data, call by call; starts no servers"}
	cmd.Flags().StringVar(&f.train, "train", "", "folder of the runs to learn from (clean runs only)")
	cmd.Flags().StringVar(&f.test, "test", "", "folder of the runs to score")
	cmd.Flags().StringVar(&f.cv, "cv", "", "use one folder instead, in four folds by unseen tasks and unseen agents")
	cmd.Flags().BoolVar(&f.growth, "growth", false, "also simulate how agents become known that nobody has learned (some minutes)")
	cmd.Flags().
		StringVar(&f.view, "view", "full", "full; gateway: without the digest of arguments and the task; or access: without bodies too")
	return cmd
}

func runEval(f evalFlags) (*evaluate.Report, error) {
	view, known := labelled.Views[f.view]
	if !known {
		return nil, usage(fmt.Errorf("--view: %q is none of full, gateway, access", f.view))
	}
	if (f.cv == "") == (f.train == "" || f.test == "") {
		return nil, usage(errors.New("--train and --test, or --cv alone: folders with agentdojo, tau and runaways"))
	}
	began := time.Now()
	parts, err := evalParts(f, view)
	if err != nil {
		return nil, err
	}
	train, test := f.train, f.test
	if f.cv != "" {
		train, test = f.cv, f.cv
	}
	progress := progressWriter()
	result := evaluate.Evaluate(parts, f.view, func(done, of int) {
		fmt.Fprintf(progress, "\rbaseline %d of %d, %s", done, of, time.Since(began).Round(time.Second))
	})
	fmt.Fprintln(progress)
	if err := addRunLengths(&result, test); err != nil {
		return nil, err
	}
	if err := addSuspicions(&result, train, test, f.view); err != nil {
		return nil, err
	}
	result.Train, result.Test, result.Seconds = filepath.Base(train), filepath.Base(test), time.Since(began).Seconds()
	return &result, nil
}

// evalParts returns the runs to learn from and to score: one fold of two folders, or several folds of one folder, and the
// folds that leave out a peer group or agents.
func evalParts(f evalFlags, view labelled.View) (parts evaluate.Parts, err error) {
	var teach, judge labelledSets
	if f.cv != "" {
		if judge, err = readSets(f.cv, view); err != nil {
			return parts, err
		}
		teach, parts.Folds = judge, crossValidation(judge)
	} else {
		if teach, err = readSets(f.train, view); err != nil {
			return parts, err
		}
		if judge, err = readSets(f.test, view); err != nil {
			return parts, err
		}
		parts.Folds = []evaluate.Fold{{Train: cleanRuns(teach.real), Test: judge.real, Runaways: judge.runaways,
			Poison: hijackedRuns(teach.real)}}
	}
	parts.Growth = f.growth
	parts.WithoutGroup = evaluate.LeaveGroupsOut(teach.real, judge.real, judge.runaways)
	parts.WithoutAgents = evaluate.LeaveAgentsOut(teach.real, judge.real)
	return parts, nil
}

// labelledSets reads the data sets of a folder, with the fields that a view lets the detector see.
type labelledSets struct{ real, runaways []*evaluate.Labelled }

func readSets(dir string, view labelled.View) (out labelledSets, err error) {
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

func cleanRuns(runs []*evaluate.Labelled) (out []*evaluate.Labelled) {
	for _, r := range runs {
		if len(r.Calls) > 0 && r.Clean() {
			out = append(out, r)
		}
	}
	return out
}

func hijackedRuns(runs []*evaluate.Labelled) (out []*evaluate.Labelled) {
	for _, r := range runs {
		if len(r.Calls) > 0 && r.Hijacked() {
			out = append(out, r)
		}
	}
	return out
}

// crossValidation makes four folds: the scored runs are of a task or an agent that was not learned from.
func crossValidation(s labelledSets) (folds []evaluate.Fold) {
	const n = 4 // folds
	for k := range n {
		var f evaluate.Fold
		tested := map[string]bool{}
		var rest []*evaluate.Labelled
		for _, r := range s.real {
			if learn.FoldOf("T"+r.Task, n) == k || learn.FoldOf("A"+r.Agent, n) == k {
				f.Test = append(f.Test, r)
				tested[r.ID] = true
			} else {
				rest = append(rest, r)
			}
		}
		f.Train, f.Poison = cleanRuns(rest), hijackedRuns(rest)
		for _, r := range s.runaways {
			if tested[r.Base] {
				f.Runaways = append(f.Runaways, r)
			}
		}
		folds = append(folds, f)
	}
	return folds
}
