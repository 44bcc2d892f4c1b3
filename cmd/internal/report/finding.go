package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"flyball/detect/playbook"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wording"
)

// Finding prints one finding, the verdicts on it and the card of its family.
func Finding(w io.Writer, f *query.Finding, verdicts []query.Verdict, c *playbook.Entry) error {
	Printf(w, "finding %s\n%s\n%s %s, %s, run %s\n", f.ID, f.Summary, f.Level, f.Family, f.State, f.RunID)
	Printf(w, "opened %s, changed %s UTC; exposure %s, %d irreversible\n",
		f.OpenedAt.UTC().Format(time.DateTime), f.UpdatedAt.UTC().Format(time.DateTime),
		wording.Figure(float64(f.Exposure.Calls), wording.Calls), f.Exposure.Irreversible)
	Printf(w, "%s\n", rarity(f))
	if text := wording.AcquaintanceOf(f.Acquaintance); text != "" {
		Printf(w, "The caller was %s.\n", text)
	}
	fmt.Fprintln(w)
	if f.Exception != "" {
		Printf(
			w,
			"It is intended, by the exception %q: it was only recorded, and no page was sent (flyball findings exceptions)\n\n",
			f.Exception,
		)
	}
	printVerdicts(w, verdicts)
	if err := evidence(w, f); err != nil || c == nil {
		return err
	}
	Printf(w, "\n%s\n", c.Means)
	for _, part := range []struct {
		title string
		lines []string
	}{{"It may be instead", c.Benign}, {"Check", c.Check}, {"Contain", c.Contain}, {"Close", []string{c.Close}},
		{"Judge", []string{c.Judge}}} {
		fmt.Fprintln(w, part.title)
		for _, l := range part.lines {
			Printf(w, "  · %s\n", l)
		}
	}
	return nil
}

// rarity returns how rare the score is in clean runs, as a sentence. Findings of a rule have none.
func rarity(f *query.Finding) string {
	if f.ExpectedOf == "" && f.ExpectedRate == 0 {
		return "It follows from a rule: no rate of clean runs belongs to it."
	}
	rate := wording.Rate(f.ExpectedRate, wording.Clean{Of: f.ExpectedOf, Runs: f.ExpectedRuns})
	if strings.HasPrefix(rate, "how ") { // it is not known
		return strings.ToUpper(rate[:1]) + rate[1:] + "."
	}
	return "It is " + rate + "."
}

func printVerdicts(w io.Writer, verdicts []query.Verdict) {
	for i, v := range verdicts {
		what := "verdict"
		if i > 0 {
			what = "  before"
		}
		Printf(w, "%s %s, by %s at %s UTC: %s\n", what, v.Verdict, v.By, v.At.UTC().Format(time.DateTime), v.Why)
	}
	if len(verdicts) > 0 {
		fmt.Fprintln(w)
	}
}

// evidence prints the figures of a finding with their units, none of them cut, and the calls that carry them.
func evidence(w io.Writer, f *query.Finding) error {
	var calls []string
	err := Table(w, "WHAT | OBSERVED | USUAL | WHOSE USUAL | PEERS | HUMANS", func(row func(...any)) {
		for _, e := range f.Evidence {
			of := wording.FeatureOf(e.Feature)
			whose := wording.Median(e.UsualOf)
			if e.Usual.IsZero() {
				whose = ""
			}
			row(Word(of.Text), Word(observed(&e, of.Unit)), Word(wording.Usual(float64(e.Usual), of.Unit, e.UsualOf)), Word(whose),
				Word(wording.Usual(float64(e.Peers), of.Unit, e.UsualOf)), Word(wording.Figure(float64(e.Humans), of.Unit)))
			calls = append(calls, e.Calls...)
		}
	})
	if err == nil && len(calls) > 0 {
		Printf(w, "calls behind it: %s (flyball find %s)\n", strings.Join(calls, " "), calls[0])
	}
	return err
}

// observed returns the observed value; a share with the calls that it is of.
func observed(e *schema.Contribution, unit wording.Unit) string {
	text := wording.Figure(float64(e.Observed), unit)
	if unit == wording.Share && e.OfCalls > 0 {
		text = fmt.Sprintf("%d of %d calls, %s", e.Hits, e.OfCalls, text)
	}
	return text
}
