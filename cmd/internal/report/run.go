package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"flyball/schema/clickhouse/query"
)

// RunColumns are the columns of a listing of runs.
var RunColumns = []Column[query.Run]{
	{"RUN", func(r *query.Run) any { return r.RunID }},
	{"LAST CALL (UTC)", func(r *query.Run) any { return clock(r.LastAt) }},
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

// HitColumns are the columns of a listing of runs that contain a term.
var HitColumns = []Column[query.Hit]{
	{"RUN", func(h *query.Hit) any { return h.RunID }},
	{"LAST (UTC)", func(h *query.Hit) any { return clock(h.LastAt) }},
	{"KEY", func(h *query.Hit) any { return Dash(h.RunKey) }},
	{"AGENT", func(h *query.Hit) any { return Dash(h.AgentID) }},
	{"FOUND AS", func(h *query.Hit) any { return h.Field }},
	{"CALLS", func(h *query.Hit) any { return h.Calls }},
}

// Run prints one run in full.
func Run(w io.Writer, r *query.RunReport) error {
	Printf(w, "run      %s\nkey      %s\nbound by %s (%d%% sure), %s\n", r.RunID, Dash(r.RunKey), r.RunRule, r.RunConfidence, r.State)
	Printf(w, "from     %s to %s UTC, %d calls, %d errors, %d irreversible, %d resources on %d routes\n",
		clock(r.StartedAt), clock(r.LastAt), r.TotalCalls, r.Errors, r.Irreversible, r.DistinctResources, r.DistinctRoutes)
	for _, k := range slices.Sorted(maps.Keys(r.Identity)) {
		Printf(w, "  %-18s %s\n", k, fmt.Sprint(r.Identity[k]))
	}
	for _, l := range r.LinkedRuns {
		Printf(w, "linked   %s (%s)\n", l.RunID, l.How)
	}
	fmt.Fprintln(w)
	err := Rows(w, r.CallList, callColumns)
	if n := uint64(len(r.CallList)); n < r.TotalCalls {
		Printf(w, "… the first %d of %d calls (--limit)\n", n, r.TotalCalls)
	}
	printTree(w, r)
	return err
}

// callColumns are the columns of a run's calls, whose fields are found by name.
var callColumns = []Column[map[string]any]{
	{"AT (UTC)", func(c *map[string]any) any {
		at, _ := (*c)["start_time"].(query.Time)
		return clock(at)
	}},
	fieldColumn("STATUS", "status"), fieldColumn("OUTCOME", "outcome"), fieldColumn("METHOD", "method"), fieldColumn("PATH", "path"),
	fieldColumn("EFFECT", "effect"), fieldColumn("REVERSIBILITY", "reversibility"),
	{"RESOURCES", func(c *map[string]any) any {
		list, _ := (*c)["resources"].([]string)
		return Dash(strings.Join(list, " "))
	}},
}

func fieldColumn(head, key string) Column[map[string]any] {
	return Column[map[string]any]{head, func(c *map[string]any) any {
		if v, ok := (*c)[key]; ok {
			return v
		}
		return "-"
	}}
}

// printTree prints the calls of a run as the tree of their spans.
func printTree(w io.Writer, r *query.RunReport) {
	if len(r.Tree) > 0 {
		fmt.Fprintln(w, "\nby spans")
	}
	for _, l := range r.Tree {
		Printf(w, "  %s%-*s %s  %s  %s\n", strings.Repeat("   ", l.Depth), max(46-3*l.Depth, 8), l.What, clock(l.At)[11:], Dash(l.Status), l.By)
	}
	for _, u := range r.Unplanned {
		Printf(w, "  %s\n", u)
	}
}
