package main

import (
	"path/filepath"

	"flyball/cmd/internal/tools/labelled"
	"flyball/detect/evaluate"
	"flyball/detect/model/baseline"
	"flyball/schema"
)

// lengthSet is the folder of a set of run lengths.
const lengthSet = "mcpmark"

// addRunLengths adds to a report the calibration of the run length's tail on a set of run lengths.
func addRunLengths(r *evaluate.Report, test string) error {
	runs, err := labelled.RunLengths(filepath.Join(test, lengthSet))
	if err != nil {
		return err
	}
	if len(runs) == 0 {
		r.Missing = append(r.Missing, "lengths: no set "+lengthSet+" in the folder")
		return nil
	}
	var list []evaluate.Length
	for _, l := range runs {
		list = append(list, evaluate.Length{Agent: l.Agent, Group: baseline.PeerGroup(l.Agent, schema.CallerAgent),
			Task: l.Task, Calls: l.Calls})
	}
	r.Lengths = evaluate.EvaluateLengths(list)
	return nil
}
