package report

import (
	"fmt"
	"io"
	"math"
	"sort"
	"strings"

	"flyball/schema/clickhouse/query"
)

// Touched prints the touched set of a subject, the most dangerous resources first.
func Touched(w io.Writer, t *query.Touched) error {
	Printf(w, "what %s %s touched\n%s, %d calls, %d resources%s\n", t.Subject.Kind, t.Subject.Value, period(t), t.Calls, distinct(t),
		ofMore(t))
	Printf(w, "%s\n", totals("by effect", t.Totals.ByEffect))
	Printf(w, "%s\n", totals("by reversibility", t.Totals.ByReversibility))
	if t.Complete {
		Printf(w, "complete: %s\n", completeText(t))
	} else {
		Printf(w, "NOT COMPLETE:\n")
		for _, c := range t.Caveats {
			Printf(w, "  - %s\n", c)
		}
	}
	if err := printNear(w, t.Near); err != nil {
		return err
	}
	for i := range t.OtherCallers {
		Printf(w, "not its own: %s\n", otherCaller(&t.OtherCallers[i]))
	}
	for i := range t.DeniedOnly {
		Printf(w, "denied: %s\n", deniedOnly(&t.DeniedOnly[i]))
	}
	for _, text := range notAsked(t) {
		Printf(w, "not checked: %s\n", text)
	}
	for i, text := range judged(t) {
		if i == maxJudged {
			Printf(w, "judged: … and more (-o json)\n")
			break
		}
		Printf(w, "judged: %s\n", text)
	}
	if t.FromHold != nil {
		Printf(w, "%s\n", fromHold(t.FromHold))
	}
	if len(t.Resources) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	if err := Rows(w, t.Resources, touchedColumns); err != nil {
		return err
	}
	if t.Next != "" {
		Printf(w, "there are more: --limit, or --after %s\n", t.Next)
	}
	return printUndo(w, t)
}

// ofMore returns a text for a report with a part of the resources.
func ofMore(t *query.Touched) string {
	if t.Next == "" {
		return ""
	}
	return " listed, there are more"
}

// maxJudged is the maximum number of runs with a score, a finding or a breaker that are printed
// above the table.
const maxJudged = 10

// period returns a text with the time window that was read. It never shows a time that is not
// known.
func period(t *query.Touched) string {
	stored := "all that is stored since " + clock(t.StoredSince) + " UTC"
	if t.StoredSince.IsZero() {
		stored = "all that is stored"
	}
	switch {
	case t.Since.IsZero() && t.Until.IsZero():
		return stored
	case t.Since.IsZero():
		return stored + ", to " + clock(t.Until) + " UTC"
	case t.Until.IsZero():
		return clock(t.Since) + " UTC to now"
	}
	return clock(t.Since) + " to " + clock(t.Until) + " UTC"
}

// completeText returns what is said of a complete report.
func completeText(t *query.Touched) string {
	text := "nothing is known to be missing"
	if !t.AsOf.IsZero() {
		text += "; everything that was in Kafka at " + clock(t.AsOf) + " UTC was read"
	}
	return text
}

// printNear prints the stored subjects that may have been meant.
func printNear(w io.Writer, near []query.Near) error {
	if len(near) == 0 {
		return nil
	}
	Printf(w, "near it:\n")
	for _, n := range near {
		if err := Printf(w, "  %s\n", nearText(n)); err != nil {
			return err
		}
	}
	return nil
}

// nearReasons are the texts for the reasons why a stored subject is near.
var nearReasons = map[string]string{"pattern": "matches the pattern", "other_kind": "has that name", "other_type": "has that id",
	"case": "differs in upper and lower case", "part": "has a part in common", "spelling": "is spelt alike"}

func nearText(n query.Near) string {
	text := fmt.Sprintf("%s %s (%s", n.Kind, n.Value, nearReasons[n.How])
	if !n.LastAt.IsZero() {
		text += "; last call " + clock(n.LastAt) + " UTC"
	}
	return text + ")"
}

// UnknownRun prints that a run is not stored, and what is near.
func UnknownRun(w io.Writer, t *query.Touched) error {
	for _, c := range t.Caveats {
		Printf(w, "%s\n", c)
	}
	if len(t.Near) == 0 {
		err := Printf(w, "nothing is near it; flyball status shows whether calls arrive\n")
		return err
	}
	return printNear(w, t.Near)
}

// NotFound prints that no stored run has a term, and what is near.
func NotFound(w io.Writer, t *query.Touched) error {
	Printf(w, "%q is no run id or key, request id, trace, address, host, agent, credential, principal, task, conversation or resource that "+
		"is stored.\n", t.Subject.Value)
	for _, c := range t.Caveats {
		Printf(w, "  - %s\n", c)
	}
	return printNear(w, t.Near)
}

// deniedOnly returns a sentence about a run whose attempts were all denied.
func deniedOnly(d *query.DeniedRun) string {
	return fmt.Sprintf("every attempt of run %s of %s: %d by %s (%s), the last one %s UTC; it touched nothing", d.RunID,
		Dash(strings.Join(d.Agents, " ")), d.Attempts, strings.Join(d.Routes, ", "), strings.Join(d.Effects, ", "), clock(d.LastAt))
}

// notAsked returns a sentence for each gateway with calls that were not sent to the check.
func notAsked(t *query.Touched) (sentences []string) {
	for _, g := range t.Coverage {
		if g.Asked < g.Calls {
			sentences = append(sentences, fmt.Sprintf("%d of %d calls at %s were not sent to the check: no breaker or gate could have stopped them",
				g.Calls-g.Asked, g.Calls, g.Gateway))
		}
	}
	return sentences
}

// judged returns a sentence for each run with a score, a finding or a breaker.
func judged(t *query.Touched) (sentences []string) {
	for i := range t.Runs {
		r := &t.Runs[i]
		if (r.Level == "" || r.Level == "none") && len(r.Findings) == 0 && r.Breaker == "" {
			continue
		}
		text := fmt.Sprintf("run %s of %s: score %s (%s), breaker %s", r.RunID, Dash(r.AgentID), scoreText(r.Score), Dash(r.Level),
			Dash(r.Breaker))
		for _, f := range r.Findings {
			text += fmt.Sprintf("; %s %s (%s, %s): %s", f.ID, f.Family, f.Level, f.State, f.Summary)
		}
		sentences = append(sentences, text)
	}
	return sentences
}

// scoreText returns a score, or "-" if there is none.
func scoreText(score *float64) string {
	if score == nil || math.IsNaN(*score) {
		return "-"
	}
	return fmt.Sprintf("%.4g", *score)
}

// otherCaller returns a sentence about a caller that made calls in a run's traces under a
// different identity.
func otherCaller(o *query.OtherCaller) string {
	return fmt.Sprintf(
		"%d calls (%d irreversible) in its traces by %s, %s, in run %s",
		o.Calls,
		o.Irreversible,
		Dash(o.Name()),
		o.Standing,
		o.RunID,
	)
}

var touchedColumns = []Column[query.TouchedResource]{
	{"REVERSIBILITY", func(r *query.TouchedResource) any { return Undo(r.Reversibility) }},
	{"EFFECT?", func(r *query.TouchedResource) any { return r.Effect }},
	{"RESOURCE", func(r *query.TouchedResource) any { return r.Resource }},
	{"ROUTE?", func(r *query.TouchedResource) any { return strings.TrimSpace(r.Method + " " + r.Route) }},
	{"AGENT", func(r *query.TouchedResource) any { return Dash(several(r.Agents, uint64(len(r.Agents)))) }},
	{"RUN", func(r *query.TouchedResource) any { return severalRuns(r.Runs, r.RunCount) }},
	{"CALLS", func(r *query.TouchedResource) any { return r.Calls }},
	{"OK???", func(r *query.TouchedResource) any { return r.OK }},
	{"FAILED", func(r *query.TouchedResource) any { return Count(r.Failed) }},
	{"DENIED", func(r *query.TouchedResource) any { return Count(r.Denied) }},
	{"FIRST (UTC)???", func(r *query.TouchedResource) any { return Clock(r.FirstAt) }},
	{"LAST (UTC)??", func(r *query.TouchedResource) any { return Clock(r.LastAt) }},
	{"VIA??", func(r *query.TouchedResource) any { return Dash(strings.Join(r.Via, " ")) }},
}

// several returns the first of some names, with the number of the others.
func several(names []string, total uint64) string {
	switch {
	case len(names) == 0:
		return ""
	case total <= 1:
		return names[0]
	}
	return fmt.Sprintf("%s +%d", names[0], total-1)
}

// severalRuns returns the cell of the runs that touched a resource: the only one, or the first with the number of the others.
func severalRuns(runs []string, total uint64) any {
	return ID(several(runs, total))
}

// distinct counts the resources; a resource can be touched through several routes.
func distinct(t *query.Touched) int {
	seen := map[string]bool{}
	for _, r := range t.Resources {
		seen[r.Resource] = true
	}
	return len(seen)
}

// totals returns a line of counts by value, the largest first.
func totals(what string, m map[string]uint64) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return m[keys[i]] > m[keys[j]] || m[keys[i]] == m[keys[j]] && keys[i] < keys[j] })
	for i, k := range keys {
		keys[i] = fmt.Sprintf("%s %d", k, m[k])
	}
	return what + ": " + Dash(strings.Join(keys, ", "))
}
