package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"time"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/schema/wording"
)

// printStatus prints what is wrong first, and then, for a deployment in which nothing is, at most a screen of 24 lines and 80 columns.
func printStatus(w io.Writer, s *status) error {
	if err := report.Lines(w, func(row func(...any)) {
		n := 0
		problemRows(func(cells ...any) { n++; row(cells...) }, s)
		if n > 0 {
			row()
		}
	}); err != nil {
		return err
	}
	return report.Lines(w, func(row func(...any)) {
		ready := 0
		for _, p := range s.Parts {
			if p.Ready {
				ready++
			}
		}
		row("parts", fmt.Sprintf("%d of %d ready", ready, len(s.Parts)))
		if s.Process != nil {
			processRows(row, s.Process)
		}
		counterRows(row, s)
		quiet := 0
		for i := range s.Readers {
			if isQuiet(&s.Readers[i]) {
				quiet++
			}
		}
		if quiet > 0 {
			row("lag", "0 records", fmt.Sprintf("in %s of readers and topics", ofAll(quiet, len(s.Readers))))
		}
		if s.Control != nil {
			controlRows(row, s.Control)
		}
	})
}

// ofAll is a number of things among all of them.
func ofAll(n, all int) string {
	if n == all {
		return fmt.Sprintf("all %d pairs", all)
	}
	return fmt.Sprintf("%d of %d pairs", n, all)
}

// isQuiet reports whether nothing is to be said of a reader.
func isQuiet(r *app.ReaderLag) bool {
	return r.Records == 0 && r.Deleted == 0 && r.EndsLost == 0 && r.NeverRead == 0 && !r.NoSuchTopic && r.Error == ""
}

// problemRows prints what is wrong or not known.
func problemRows(row func(...any), s *status) {
	for _, p := range s.Parts {
		if !p.Ready {
			row(p.Part, "NOT READY: "+p.Reason)
		}
	}
	for _, p := range s.Parts {
		if p.Ready && p.Warning != "" {
			row(p.Part, "ready, WARNING: "+p.Warning)
		}
	}
	for _, u := range s.Unknown {
		row(u.Part, "unknown: "+u.Why)
	}
	if s.Control != nil {
		controlProblems(row, s.Control)
	}
	for _, l := range s.Losses {
		row("RECORDS LOST", l.Topic, fmt.Sprintf("%s: %s, %s, the last noticed %s", l.Kind, wording.Count(l.Losses, "time"),
			lostRecords(l.Records),
			l.LastAt.UTC().Format(time.RFC3339)))
	}
	if s.Process != nil {
		processProblems(row, s.Process)
	}
	for i := range s.Readers {
		if r := &s.Readers[i]; !isQuiet(r) {
			lagRow(row, r)
		}
	}
}

// processRows prints what the process runs.
func processRows(row func(...any), p *app.ProcessStatus) {
	armed := ""
	if len(p.Armed) > 0 {
		armed = "armed: " + strings.Join(p.Armed, ", ")
	}
	row("roles", strings.Join(p.Roles, ", "), "version "+p.Version)
	row("started", p.Started.Format(time.RFC3339))
	row("mode", p.Mode, strings.TrimLeft(armed+"; at the start; commands can change it", "; "))
	row("kafka", strings.Join(p.Kafka, ", "))
	row("clickhouse", strings.Join(p.ClickHouse, ", "))
}

// processProblems prints what the process does not run yet, and receivers that do not take pages.
func processProblems(row func(...any), p *app.ProcessStatus) {
	if len(p.Restart) > 0 {
		row("RESTART NEEDED", strings.Join(p.Restart, ", "), "changed in "+p.File+" since the start, not in force")
	}
	if p.FileError != "" {
		row("FILE NOT USABLE", p.FileError)
	}
	for i := range p.Disks {
		if d := &p.Disks[i]; d.Level != "enough" {
			what := fmt.Sprintf("%d MiB of %d MiB are free: %s", d.Free>>20, d.Total>>20, d.Path)
			if len(d.Stopped) > 0 {
				what += fmt.Sprintf("; STOPPED until %d MiB are free: %s", d.Until>>20, strings.Join(d.Stopped, ", "))
			}
			row("disk "+d.Disk, d.Level, cmp.Or(d.Error, what))
		}
	}
	for _, r := range p.Receivers {
		switch {
		case r.Refused != "":
			row("receiver "+r.Receiver, "refuses pages", fmt.Sprintf("%d not delivered, since %s: %s", r.Undelivered,
				r.Since.Format(time.RFC3339), r.Refused))
		case r.Failing != "":
			row("receiver "+r.Receiver, "not answering", fmt.Sprintf("since %s: %s", r.Since.Format(time.RFC3339), r.Failing))
		}
	}
}

// counterRows prints the figures of the process. Counters begin again with the process.
func counterRows(row func(...any), s *status) {
	const sinceStart = " since start"
	if s.Records != nil {
		row("records read"+sinceStart, number(*s.Records))
	}
	if s.Calls != nil {
		row("calls"+sinceStart, number(*s.Calls), shortened(counts(s.CallsByRule)))
	}
	if len(s.DeadLetters) > 0 || s.Records != nil {
		row("dead letters"+sinceStart, number(total(s.DeadLetters)), shortened(counts(s.DeadLetters)))
	}
	if s.OpenRuns != nil {
		row("open runs", number(*s.OpenRuns), fmt.Sprintf("of %s actors, %s refusals%s", optional(s.Actors), optional(s.Refusals), sinceStart))
	}
	if len(s.Stored) > 0 {
		row("stored rows"+sinceStart, number(total(s.Stored)), shortened(counts(s.Stored)))
	}
	if s.Restarts != nil {
		row("engine restarts"+sinceStart, number(*s.Restarts))
	}
	if s.MemoryMiB != nil {
		row("memory", number(*s.MemoryMiB)+" MiB", "without the engine")
	}
}

// lagRow prints the lag of one reader in one topic.
func lagRow(row func(...any), r *app.ReaderLag) {
	name := "lag of " + r.Reader
	if r.NoSuchTopic {
		row(name, "-", r.Topic+": there is no such topic")
		return
	}
	notes := []string{r.Topic}
	if r.Records > 0 {
		notes = append(notes, fmt.Sprintf("the oldest has waited %.0f s or more", r.Seconds))
	}
	if r.NeverRead > 0 {
		notes = append(notes, wording.Count(r.NeverRead, "partition")+" never read")
	}
	if r.Deleted > 0 {
		notes = append(notes, fmt.Sprintf("%d deleted before they were read", r.Deleted))
	}
	if r.EndsLost > 0 {
		notes = append(notes, wording.Count(r.EndsLost, "partition")+" lost their ends, which were read")
	}
	records := wording.Count(r.Records, "record")
	if r.Error != "" {
		records = "unknown"
	}
	row(name, records, strings.Join(notes, ", "))
}

// controlRows prints the present state of enforcement.
func controlRows(row func(...any), c *api.Status) {
	b := c.Budget
	row("breakers open", c.Open)
	row("automatic trips", fmt.Sprintf("%d of %d this hour", b.Trips, b.Of),
		fmt.Sprintf("%d of %d agents, %d withheld", b.Agents, b.OfAgents, b.Withheld))
	row("questions waiting", c.Waiting, fmt.Sprintf("oldest %.0f s", c.Oldest))
	for i := range c.Points {
		p := &c.Points[i]
		row("enforced at "+p.Point, configuredText(p),
			fmt.Sprintf("file; %s behind the log", time.Duration(p.LagMS)*time.Millisecond))
	}
	for _, l := range c.Orders {
		row(l.State+" by command", l.Pattern, fmt.Sprintf("%s, by %s since %s", l.Reason, l.By, l.Since))
	}
	if c.Exceptions > 0 {
		row("exceptions", c.Exceptions, "by command")
	}
	if c.OIDC != nil {
		row("operators", "tokens of "+c.OIDC.Issuer, fmt.Sprintf("client %s, %d keys", c.OIDC.ClientID, c.OIDC.Keys))
	}
}

// controlProblems prints what is wrong with enforcement, or does not hold as usual.
func controlProblems(row func(...any), c *api.Status) {
	if c.Stale {
		row("STALE", cmp.Or(c.StaleReason, "no record of the command log arrives: the last state holds"))
	}
	for _, b := range c.Bypasses {
		row("BYPASS", cmp.Or(b.Agent, "everybody"), fmt.Sprintf("until %s: %s, by %s", b.Until, b.Reason, b.By))
	}
	if s := c.Settings; s.Differ {
		row("SETTINGS DIFFER", fmt.Sprintf("the log's hold: %d trips an hour, %d %% of agents", s.TripsPerHour, s.AgentsPercent),
			fmt.Sprintf("this point's file says %d and %d %%", s.File.TripsPerHour, s.File.AgentsPercent))
	}
	if configurationsDiffer(c.Points) {
		row("WARNING", "the configurations of the points differ", "in what they enforce")
	}
}

// mostText is how much of a list of counts is printed: JSON has all of them.
const mostText = 32

func shortened(text string) string {
	if len(text) <= mostText {
		return text
	}
	return text[:strings.LastIndex(text[:mostText], " ")] + " …"
}

// configurationsDiffer reports whether points are configured to enforce different things.
func configurationsDiffer(points []api.PointArming) bool {
	for i := range points {
		if points[i].Mode != points[0].Mode || !slices.Equal(points[i].Armed, points[0].Armed) {
			return true
		}
	}
	return false
}

func number(n float64) string { return fmt.Sprintf("%.0f", n) }

// lostRecords is a number of records that are known to be missing.
func lostRecords(n int64) string {
	if n == 0 {
		return "an unknown number of records"
	}
	return "at least " + wording.Count(n, "record")
}

func optional(n *float64) string {
	if n == nil {
		return "unknown"
	}
	return number(*n)
}

func total(m map[string]float64) float64 {
	var n float64
	for _, v := range m {
		n += v
	}
	return n
}

func counts(m map[string]float64) string {
	var out []string
	for k, v := range m {
		if v > 0 {
			out = append(out, fmt.Sprintf("%s %.0f", k, v))
		}
	}
	sort.Strings(out)
	return strings.Join(out, ", ")
}
