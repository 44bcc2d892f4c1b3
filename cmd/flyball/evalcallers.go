package main

import (
	"flyball/cmd/internal/tools/labelled"
	"flyball/detect/evaluate"
)

// addSuspicions adds to a report how well the detector separates sessions of people from
// sessions of machines in people's names, if the folders are labelled with it.
func addSuspicions(r *evaluate.Report, train, test, view string) error {
	teach, _, err := labelled.SharedCredentialSessions(train, view != "full")
	if err != nil {
		return err
	}
	judge, absent := teach, []string(nil)
	if train != test {
		if judge, _, err = labelled.SharedCredentialSessions(test, view != "full"); err != nil {
			return err
		}
	}
	has := map[string]bool{}
	for _, s := range judge {
		has[s.Set] = true
	}
	for _, set := range labelled.CallerSets {
		if !has[set] {
			absent = append(absent, "borrowed: "+set+" is not in the folder")
		}
	}
	out, missing := evaluate.EvaluateSharedCredential(teach, judge, train == test)
	r.SharedCredential, r.Missing = out, append(append(r.Missing, absent...), missing...)
	return nil
}
