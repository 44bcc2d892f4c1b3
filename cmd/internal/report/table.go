package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"flyball/schema/clickhouse/query"
)

// Column is one column of a table: its head, and what stands in it for a row.
type Column[T any] struct {
	Head string
	Cell func(*T) any
}

// Rows prints rows as a table for people, with columns as wide as they need to be.
func Rows[T any](w io.Writer, rows []T, columns []Column[T]) error {
	heads := make([]string, len(columns))
	for i, c := range columns {
		heads[i] = c.Head
	}
	return table(w, heads, func(row func(...any)) {
		cells := make([]any, len(columns))
		for i := range rows {
			for k, c := range columns {
				cells[k] = c.Cell(&rows[i])
			}
			row(cells...)
		}
	})
}

// Table prints a table whose rows are not all made in the same way; heads are those of
// its columns, with " | " between them.
func Table(w io.Writer, heads string, rows func(row func(cells ...any))) error {
	return table(w, strings.Split(heads, " | "), rows)
}

func table(w io.Writer, heads []string, rows func(row func(cells ...any))) error {
	return Lines(w, func(row func(cells ...any)) {
		row(asCells(heads)...)
		rows(row)
	})
}

// Heads are the heads of a table's columns as the cells of a row.
func Heads(heads string) []any { return asCells(strings.Split(heads, " | ")) }

func asCells(texts []string) []any {
	out := make([]any, len(texts))
	for i, s := range texts {
		out[i] = s
	}
	return out
}

// Lines prints lines whose cells stand below each other, without heads. It is the one
// place that lays out columns, and makes what is in them visible. A row without cells
// begins a new block of lines.
func Lines(w io.Writer, rows func(row func(cells ...any))) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	rows(func(cells ...any) {
		for i, c := range cells {
			if i > 0 {
				fmt.Fprint(t, "\t")
			}
			fmt.Fprint(t, visible(c))
		}
		fmt.Fprintln(t)
	})
	return t.Flush()
}

// Second is an RFC 3339 time to the second, as tables show it; another text is as Dash
// has it.
func Second(stamp string) string { return stampAs(time.DateTime, stamp) }

// Millisecond is the time of day of an RFC 3339 time to the millisecond, for what is
// about less than a second; another text is as Dash has it.
func Millisecond(stamp string) string { return stampAs("15:04:05.000", stamp) }

func stampAs(layout, stamp string) string {
	t, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return Dash(stamp)
	}
	return t.UTC().Format(layout)
}

func clock(t query.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

// Dash is a text, or "-" in place of an empty one.
func Dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// RunColumns are those of a listing of runs.
var RunColumns = []Column[query.Run]{
	{"LAST CALL (UTC)", func(r *query.Run) any { return clock(r.LastAt) }},
	{"RUN", func(r *query.Run) any { return r.RunID }},
	{"KEY", func(r *query.Run) any { return Dash(r.RunKey) }},
	{"AGENT", func(r *query.Run) any { return Dash(r.AgentID) }},
	{"TRUST", func(r *query.Run) any { return Dash(r.AgentTrust) }},
	{"RULE", func(r *query.Run) any { return fmt.Sprintf("%s %d%%", r.RunRule, r.RunConfidence) }},
	{"STATE", func(r *query.Run) any { return r.State }},
	{"CALLS", func(r *query.Run) any { return r.Calls }},
	{"ERRORS", func(r *query.Run) any { return r.Errors }},
	{"IRREVERSIBLE", func(r *query.Run) any { return r.Irreversible }},
	{"RESOURCES", func(r *query.Run) any { return r.DistinctResources }},
}

// HitColumns are those of a listing of runs in which a term occurs.
var HitColumns = []Column[query.Hit]{
	{"LAST (UTC)", func(h *query.Hit) any { return clock(h.LastAt) }},
	{"RUN", func(h *query.Hit) any { return h.RunID }},
	{"KEY", func(h *query.Hit) any { return Dash(h.RunKey) }},
	{"AGENT", func(h *query.Hit) any { return Dash(h.AgentID) }},
	{"FOUND AS", func(h *query.Hit) any { return h.Field }},
	{"CALLS", func(h *query.Hit) any { return h.Calls }},
}

// Run prints one run in full.
func Run(w io.Writer, r *query.RunReport) error {
	fmt.Fprintf(w, "run      %s\nkey      %s\nbound by %s (%d%% sure), %s\n", r.RunID, Dash(r.RunKey), r.RunRule, r.RunConfidence, r.State)
	fmt.Fprintf(w, "from     %s to %s UTC, %d calls, %d errors, %d irreversible, %d resources on %d routes\n",
		clock(r.StartedAt), clock(r.LastAt), r.TotalCalls, r.Errors, r.Irreversible, r.DistinctResources, r.DistinctRoutes)
	keys := make([]string, 0, len(r.Identity))
	for k := range r.Identity {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		fmt.Fprintf(w, "  %-18s %v\n", k, r.Identity[k])
	}
	for _, l := range r.LinkedRuns {
		fmt.Fprintf(w, "linked   %s (%s)\n", l.RunID, l.How)
	}
	fmt.Fprintln(w)
	err := Table(w, "AT (UTC) | STATUS | OUTCOME | METHOD | PATH | EFFECT | REVERSIBILITY | RESOURCES", func(row func(...any)) {
		for _, c := range r.CallList {
			at, _ := c["start_time"].(query.Time)
			row(clock(at), field(c, "status"), field(c, "outcome"), field(c, "method"), field(c, "path"), field(c, "effect"), field(c, "reversibility"), list(c["resources"]))
		}
	})
	if n := uint64(len(r.CallList)); n < r.TotalCalls {
		fmt.Fprintf(w, "… the first %d of %d calls (--limit)\n", n, r.TotalCalls)
	}
	if len(r.Tree) > 0 {
		fmt.Fprintln(w, "\nby spans")
	}
	for _, l := range r.Tree {
		fmt.Fprintf(w, "  %s%-*s %s  %s  %s\n", strings.Repeat("   ", l.Depth), max(46-3*l.Depth, 8), l.What, clock(l.At)[11:], Dash(l.Status), l.By)
	}
	for _, u := range r.Unplanned {
		fmt.Fprintf(w, "  %s\n", u)
	}
	return err
}

func field(m map[string]any, key string) string {
	if v, ok := m[key]; ok {
		return fmt.Sprint(v)
	}
	return "-"
}

func list(v any) string {
	l, _ := v.([]string)
	return Dash(strings.Join(l, " "))
}

// Touched prints what a subject touched, most dangerous first.
func Touched(w io.Writer, t *query.Touched) error {
	fmt.Fprintf(w, "what %s %s touched\n%s to %s UTC, %d calls, %d resources\n", t.Subject.Kind, t.Subject.Value, clock(t.Since), clock(t.Until), t.Calls, distinct(t))
	fmt.Fprintf(w, "%s\n", totals("by effect", t.Totals.ByEffect))
	fmt.Fprintf(w, "%s\n", totals("by reversibility", t.Totals.ByReversibility))
	if t.Complete {
		fmt.Fprintln(w, "complete: nothing is known to be missing")
	} else {
		fmt.Fprintln(w, "NOT COMPLETE:")
		for _, c := range t.Caveats {
			fmt.Fprintln(w, "  -", c)
		}
	}
	for _, o := range t.OtherCallers {
		fmt.Fprintf(w, "not its own: %d calls (%d irreversible) in its traces by %s, %s, in run %s\n", o.Calls, o.Irreversible, Dash(o.Name()), o.Standing, o.RunID)
	}
	fmt.Fprintln(w)
	return Table(w, "REVERSIBILITY | EFFECT | RESOURCE | ROUTE | CALLS | OK | FAILED | DENIED | FIRST (UTC) | LAST (UTC) | VIA", func(row func(...any)) {
		for _, r := range t.Resources {
			row(r.Reversibility, r.Effect, r.Resource, strings.TrimSpace(r.Method+" "+r.Route), r.Calls, r.OK, mark(r.Failed), mark(r.Denied), clock(r.FirstAt), clock(r.LastAt), Dash(strings.Join(r.Via, " ")))
		}
	})
}

func mark(n uint64) string {
	if n == 0 {
		return "0"
	}
	return strconv.FormatUint(n, 10) + "!"
}

func distinct(t *query.Touched) int {
	seen := map[string]bool{}
	for _, r := range t.Resources {
		seen[r.Resource] = true
	}
	return len(seen)
}

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

// TouchedCSV prints a line a resource and route.
func TouchedCSV(w io.Writer, t *query.Touched) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"resource", "type", "method", "route", "effect", "reversibility", "calls", "ok", "failed", "denied", "bytes_out", "first_at", "last_at", "runs", "via"})
	n := func(v uint64) string { return strconv.FormatUint(v, 10) }
	for _, r := range t.Resources {
		_ = c.Write([]string{safeCell(r.Resource), safeCell(r.Type), r.Method, safeCell(r.Route), r.Effect, r.Reversibility, n(r.Calls), n(r.OK), n(r.Failed), n(r.Denied), n(r.BytesOut),
			r.FirstAt.String(), r.LastAt.String(), strings.Join(r.Runs, " "), safeCell(strings.Join(r.Via, " "))})
	}
	c.Flush()
	return c.Error()
}

// safeCell keeps a spreadsheet from running what an agent chose to call a resource.
func safeCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
