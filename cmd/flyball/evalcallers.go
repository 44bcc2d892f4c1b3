package main

import (
	"fmt"
	"io"
	"strings"

	"flyball/cmd/internal/tools/labelled"
	"flyball/detect/evaluate"
)

// suspicions adds to a report how well sessions in people's names are told from
// machines', where the folders say who made them.
func suspicions(r *evaluate.Report, train, test, view string) error {
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

func printBorrowed(w io.Writer, b *evaluate.SharedCredential, percent func(float64) string, number func(*float64) string) {
	if b == nil {
		return
	}
	fmt.Fprintf(w, "\nmachines in people's names: suspected at %s of people's sessions\tby\tsessions (identities)\tAUROC\trecall\tpeople suspected\n", percent(b.Share))
	for _, s := range b.Sets {
		name := s.Set
		if len(s.People) != 1 || s.People[0] != s.Set {
			name += ", people of " + strings.Join(s.People, " and ")
		}
		fmt.Fprintf(w, "%s\t%s\t%d (%d) of %d (%d)\t%s\t%s (%s to %s)\t%s (%s to %s)\n", name, strings.ReplaceAll(s.By, "_", " "), s.Machines, s.MachineIdentities, s.Humans, s.HumanIdentities, number(s.AUROC),
			percent(s.Recall), percent(s.RecallWilson[0]), percent(s.RecallWilson[1]), percent(s.False), percent(s.FalseWilson[0]), percent(s.FalseWilson[1]))
	}
	fmt.Fprintln(w)
}
