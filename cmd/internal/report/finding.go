package report

import (
	"fmt"
	"io"
	"time"

	"flyball/detect/playbook"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// Finding prints one finding and the card of its family.
func Finding(w io.Writer, f *query.Finding, c *playbook.Entry) error {
	Printf(w, "%s\n%s %s, %s, run %s\n", f.Summary, f.Level, f.Family, f.State, f.RunID)
	Printf(w, "opened %s, changed %s UTC; %s; exposure %d calls, %d irreversible\n\n",
		f.OpenedAt.UTC().Format(time.DateTime), f.UpdatedAt.UTC().Format(time.DateTime), expected(f), f.Exposure.Calls, f.Exposure.Irreversible)
	if f.Exception != "" {
		Printf(
			w,
			"It is intended, by the exception %q: it was only recorded, and no page was sent (flyball findings exceptions)\n\n",
			f.Exception,
		)
	}
	err := Table(w, "WHAT | OBSERVED | USUAL | PEERS | HUMANS", func(row func(...any)) {
		for _, e := range f.Evidence {
			row(e.Feature, known(e.Observed), known(e.Usual), known(e.Peers), known(e.Humans))
		}
	})
	if c == nil || err != nil {
		return err
	}
	Printf(w, "\n%s\n", c.Means)
	for _, part := range []struct {
		title string
		lines []string
	}{{"It may be instead", c.Benign}, {"Check", c.Check}, {"Contain", c.Contain}, {"Close", []string{c.Close}}} {
		fmt.Fprintln(w, part.title)
		for _, l := range part.lines {
			Printf(w, "  · %s\n", l)
		}
	}
	return nil
}

// expected returns a text with the share of clean runs that reach the score, and the runs to
// which the share applies.
func expected(f *query.Finding) string {
	whose := map[string]string{"own": "clean runs of the agent", "peers": "clean runs of its peers", "tail": "clean runs, by the fitted " +
		"tail,"}[f.ExpectedOf]
	if whose == "" {
		whose = "clean runs"
	}
	return fmt.Sprintf("%s that come this far: %.2g", whose, f.ExpectedRate)
}

func known(k schema.OptionalFloat) string {
	if k.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%.4g", float64(k))
}
