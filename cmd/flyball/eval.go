package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/cmd/internal/tools/labelled"
	"flyball/detect/evaluate"
)

// evalFlags are those of `eval`.
type evalFlags struct{ train, test, cv, view string }

func evalCommand(o *options) *cobra.Command {
	var f evalFlags
	a := answer[*evaluate.Report]{query: func(*request) (*evaluate.Report, error) { return runEval(f) },
		table: report.Eval}
	cmd := &cobra.Command{Use: "eval --train DIR --test DIR", Args: cobra.NoArgs, RunE: a.run(o),
		Short: "Measure the detector that `detect` runs on labelled data, call by call; starts no servers"}
	cmd.Flags().StringVar(&f.train, "train", "", "folder of the runs to learn from (clean runs only)")
	cmd.Flags().StringVar(&f.test, "test", "", "folder of the runs to score")
	cmd.Flags().StringVar(&f.cv, "cv", "", "use one folder instead, in four folds by unseen tasks and unseen agents")
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
	folds, err := evalFolds(f, view)
	if err != nil {
		return nil, err
	}
	train, test := f.train, f.test
	if f.cv != "" {
		train, test = f.cv, f.cv
	}
	progress := progressWriter()
	result := evaluate.Evaluate(folds, f.view, func(done, of int) {
		fmt.Fprintf(progress, "\rfold %d of %d, %s", done, of, time.Since(began).Round(time.Second))
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

// evalFolds returns the runs to learn from and to score: one fold of two folders, or
// several folds of one folder.
func evalFolds(f evalFlags, view labelled.View) ([]evaluate.Fold, error) {
	if f.cv != "" {
		all, err := readSets(f.cv, view)
		if err != nil {
			return nil, err
		}
		return crossValidation(all), nil
	}
	teach, err := readSets(f.train, view)
	if err != nil {
		return nil, err
	}
	judge, err := readSets(f.test, view)
	if err != nil {
		return nil, err
	}
	return []evaluate.Fold{{Train: cleanRuns(teach.real), Test: judge.real, Runaways: judge.runaways, Poison: hijackedRuns(teach.real)}}, nil
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
