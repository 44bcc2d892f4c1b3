package report

import (
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"

	"flyball/schema/clickhouse/query"
)

// Touched prints the touched set of a subject, the most dangerous resources first.
func Touched(w io.Writer, t *query.Touched) error {
	Printf(w, "what %s %s touched\n%s to %s UTC, %d calls, %d resources\n", t.Subject.Kind, t.Subject.Value, clock(t.Since), clock(t.Until),
		t.Calls, distinct(t))
	Printf(w, "%s\n", totals("by effect", t.Totals.ByEffect))
	Printf(w, "%s\n", totals("by reversibility", t.Totals.ByReversibility))
	if t.Complete {
		fmt.Fprintln(w, "complete: nothing is known to be missing")
	} else {
		fmt.Fprintln(w, "NOT COMPLETE:")
		for _, c := range t.Caveats {
			Printf(w, "  - %s\n", c)
		}
	}
	for i := range t.OtherCallers {
		Printf(w, "not its own: %s\n", otherCaller(&t.OtherCallers[i]))
	}
	fmt.Fprintln(w)
	return Rows(w, t.Resources, touchedColumns)
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
	{"REVERSIBILITY", func(r *query.TouchedResource) any { return r.Reversibility }},
	{"EFFECT", func(r *query.TouchedResource) any { return r.Effect }},
	{"RESOURCE", func(r *query.TouchedResource) any { return r.Resource }},
	{"ROUTE", func(r *query.TouchedResource) any { return strings.TrimSpace(r.Method + " " + r.Route) }},
	{"CALLS", func(r *query.TouchedResource) any { return r.Calls }},
	{"OK", func(r *query.TouchedResource) any { return r.OK }},
	{"FAILED", func(r *query.TouchedResource) any { return mark(r.Failed) }},
	{"DENIED", func(r *query.TouchedResource) any { return mark(r.Denied) }},
	{"FIRST (UTC)", func(r *query.TouchedResource) any { return clock(r.FirstAt) }},
	{"LAST (UTC)", func(r *query.TouchedResource) any { return clock(r.LastAt) }},
	{"VIA", func(r *query.TouchedResource) any { return Dash(strings.Join(r.Via, " ")) }},
}

// mark returns a number that should be 0, with a mark if it is not.
func mark(n uint64) string {
	if n == 0 {
		return "0"
	}
	return strconv.FormatUint(n, 10) + "!"
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
