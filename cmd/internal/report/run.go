package report

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"flyball/schema/clickhouse/query"
	"flyball/schema/wording"
)

// RunColumns are the columns of a listing of runs.
var RunColumns = []Column[query.Run]{
	{"RUN", func(r *query.Run) any { return ID(r.RunID) }},
	{"LAST (UTC)", func(r *query.Run) any { return Clock(r.LastAt) }},
	{"KEY?", func(r *query.Run) any { return Dash(r.RunKey) }},
	{"AGENT", func(r *query.Run) any { return Dash(r.AgentID) }},
	{"TRUST????", func(r *query.Run) any { return Dash(r.AgentTrust) }},
	{"RULE????", func(r *query.Run) any { return fmt.Sprintf("%s %d%%", r.RunRule, r.RunConfidence) }},
	{"STATE???", func(r *query.Run) any { return r.State }},
	{"LEVEL", func(r *query.Run) any { return Level(r.Level) }},
	{"SCORE??", func(r *query.Run) any { return scoreText(r.Score) }},
	{"BREAKER", func(r *query.Run) any { return breakerState(r.Breaker) }},
	{"CALLS", func(r *query.Run) any { return r.Calls }},
	{"ERRORS??", func(r *query.Run) any { return r.Errors }},
	{"IRREVERSIBLE", func(r *query.Run) any { return Count(r.Irreversible) }},
	{"RESOURCES??", func(r *query.Run) any { return r.DistinctResources }},
}

// HitColumns are the columns of a listing of runs that contain a term.
var HitColumns = []Column[query.Hit]{
	{"RUN", func(h *query.Hit) any { return ID(h.RunID) }},
	{"LAST (UTC)", func(h *query.Hit) any { return Clock(h.LastAt) }},
	{"KEY?", func(h *query.Hit) any { return Dash(h.RunKey) }},
	{"AGENT", func(h *query.Hit) any { return Dash(h.AgentID) }},
	{"FOUND AS", func(h *query.Hit) any { return h.Field }},
	{"CALLS", func(h *query.Hit) any { return h.Calls }},
}

// breakerState returns the cell of a breaker, which stands out unless it is closed.
func breakerState(state string) any {
	if state == "" || state == "closed" {
		return Dash(state)
	}
	return Alarm(state)
}

// Run prints one run in full.
func Run(w io.Writer, r *query.RunReport) error {
	Printf(w, "run       %s\nkey       %s\nbound by  %s (%d%% sure), %s\n", r.RunID, Dash(r.RunKey), r.RunRule, r.RunConfidence, r.State)
	Printf(w, "from      %s to %s UTC, %d calls, %d errors, %d irreversible, %d resources on %d routes\n",
		clock(r.StartedAt), clock(r.LastAt), r.TotalCalls, r.Errors, r.Irreversible, r.DistinctResources, r.DistinctRoutes)
	for _, k := range slices.Sorted(maps.Keys(r.Identity)) {
		Printf(w, "  %-18s %s\n", k, fmt.Sprint(r.Identity[k]))
	}
	for _, l := range r.LinkedRuns {
		Printf(w, "linked    %s (%s)\n", l.RunID, l.How)
	}
	for _, c := range r.Caveats {
		Printf(w, "unknown   %s\n", c)
	}
	printJudgement(w, r)
	fmt.Fprintln(w)
	err := Rows(w, r.CallList, callColumns(r))
	if n := uint64(len(r.CallList)); n < r.TotalCalls {
		Printf(w, "… the first %d of %d calls (--limit)\n", n, r.TotalCalls)
	}
	printTree(w, r)
	return err
}

// maxScores is the maximum number of scores that are printed; the last ones are the highest.
const maxScores = 5

// printJudgement prints the score, the findings, the decisions and the breakers of a run.
func printJudgement(w io.Writer, r *query.RunReport) {
	Printf(w, "score     %s (%s)\n", scoreText(r.Score), Dash(r.Level))
	if n := len(r.Scores) - maxScores; n > 0 {
		Printf(w, "  … %d lower ones before (-o json)\n", n)
	}
	for _, s := range r.Scores[max(0, len(r.Scores)-maxScores):] {
		at, _ := s["at"].(query.Time)
		Printf(w, "  %s  %s at call %v: %s\n", clock(at), numberText(s["value"]), s["call"], topText(s))
	}
	list := func(what string, rows []map[string]any, row func(map[string]any) string) {
		if len(rows) == 0 {
			Printf(w, "%-9s none\n", what)
		}
		for _, v := range rows {
			Printf(w, "%-9s %s\n", what, row(v))
		}
	}
	list("finding", r.Findings, func(f map[string]any) string {
		return fmt.Sprintf("%v %v (%v, %v): %v", f["finding_id"], f["family"], f["level"], f["state"], f["summary"])
	})
	list("decision", r.Decisions, decisionText)
	if len(r.Breakers) == 0 {
		Printf(w, "breaker   none\n")
	}
	for i := range r.Breakers {
		Printf(w, "breaker   %s\n", breakerText(&r.Breakers[i]))
	}
}

func decisionText(d map[string]any) string {
	at, _ := d["at"].(query.Time)
	return fmt.Sprintf("%v %s %v of %v %v (%v): %v", d["decision_id"], clock(at), d["action"], d["scope_kind"], d["scope_value"], d["mode"],
		d["reason"])
}

func breakerText(b *query.RunBreaker) string {
	text := fmt.Sprintf("%s %s (%s) since %s UTC", b.Scope, b.State, b.Mode, clock(b.At))
	if !b.ExpiresAt.IsZero() {
		text += ", until " + clock(b.ExpiresAt) + " UTC"
	}
	if text += ": " + Dash(b.Reason); b.By != "" {
		text += ", by " + b.By
	}
	return text
}

// topText returns the features of a score with their values.
func topText(score map[string]any) string {
	top, _ := score["top"].([]map[string]any)
	parts := make([]string, len(top))
	for i, c := range top {
		f := wording.FeatureOf(fmt.Sprint(c["feature"]))
		figure := func(name string) string {
			v, ok := c[name].(float64)
			if !ok {
				return "-"
			}
			return wording.Figure(v, f.Unit)
		}
		parts[i] = fmt.Sprintf("%s %s (usual %s, peers %s, humans %s)", f.Text, figure("observed"), figure("usual"), figure("peers"),
			figure("humans"))
	}
	return Dash(strings.Join(parts, "; "))
}

// numberText returns a number, or "-" if it is not known.
func numberText(v any) string {
	f, ok := v.(float64)
	if !ok || math.IsNaN(f) {
		return "-"
	}
	return fmt.Sprintf("%.4g", f)
}

// callColumns returns the columns of a run's calls, whose fields are found by name.
func callColumns(r *query.RunReport) []Column[map[string]any] {
	severalDays := r.StartedAt.UTC().Format(time.DateOnly) != r.LastAt.UTC().Format(time.DateOnly)
	return append([]Column[map[string]any]{{"AT (UTC)", func(c *map[string]any) any {
		at, _ := (*c)["start_time"].(query.Time)
		return Instant(at, severalDays)
	}}}, callFields...)
}

var callFields = []Column[map[string]any]{
	fieldColumn("STATUS", "status"), fieldColumn("OUTCOME?", "outcome"), fieldColumn("METHOD", "method"), fieldColumn("PATH", "path"),
	fieldColumn("EFFECT???", "effect"), fieldColumn("REVERSIBILITY", "reversibility"),
	{"RESOURCES??", func(c *map[string]any) any {
		list, _ := (*c)["resources"].([]string)
		return Dash(strings.Join(list, " "))
	}},
}

func fieldColumn(head, key string) Column[map[string]any] {
	return Column[map[string]any]{head, func(c *map[string]any) any {
		v, known := (*c)[key]
		switch text := fmt.Sprint(v); {
		case !known:
			return "-"
		case key == "reversibility":
			return Undo(text)
		case key == "outcome" && text == "denied":
			return Alarm(text)
		}
		return v
	}}
}

// printTree prints the calls of a run as the tree of their spans.
func printTree(w io.Writer, r *query.RunReport) {
	if len(r.Tree) > 0 {
		Printf(w, "\nby spans\n")
	}
	for _, l := range r.Tree {
		Printf(w, "  %s%-*s %s  %s  %s\n", strings.Repeat("   ", l.Depth), max(46-3*l.Depth, 8), l.What, clock(l.At)[11:], Dash(l.Status), l.By)
	}
	for _, u := range r.Unplanned {
		Printf(w, "  %s\n", u)
	}
}
