package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"sort"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

//go:embed touched.html
var touchedPage string

// touchedTemplate is the template of the report. html/template escapes markup; visible also escapes
// characters that HTML does not show.
var touchedTemplate = template.Must(template.New("touched").Funcs(template.FuncMap{"visible": Text}).Parse(touchedPage))

// bar is a resource's bar in the timeline, in per cent of the total time.
type bar struct {
	query.TouchedResource
	Left, Width string
	Title       string
	Agent, Run  string
}

// tally is the number of calls with one value, such as an effect.
type tally struct {
	Word  string
	Calls uint64
}

// TouchedHTML prints a self-contained page without scripts or network requests.
func TouchedHTML(w io.Writer, t *query.Touched, made time.Time) error {
	from, to := t.Since.Time, t.Until.Time
	for i := range t.Resources { // the calls of services can be outside the window of the run's own
		if r := &t.Resources[i]; from.IsZero() || r.FirstAt.Before(from) {
			from = r.FirstAt.Time
		}
		if r := &t.Resources[i]; r.LastAt.After(to) {
			to = r.LastAt.Time
		}
	}
	span := max(to.Sub(from), time.Millisecond)
	bars := make([]bar, len(t.Resources))
	for i, r := range t.Resources {
		left := 100 * float64(r.FirstAt.Sub(from)) / float64(span)
		width := 100 * float64(r.LastAt.Sub(r.FirstAt.Time)) / float64(span)
		left = min(max(left, 0), 99.2)
		width = min(max(width, 0.8), 100-left)
		bars[i] = bar{r, fmt.Sprintf("%.2f", left), fmt.Sprintf("%.2f", width),
			fmt.Sprintf("%d calls from %s to %s", r.Calls, clock(r.FirstAt), clock(r.LastAt)),
			several(r.Agents, uint64(len(r.Agents))), several(r.Runs, r.RunCount)}
	}
	page := pageOf{T: t, Bars: bars, Others: othersText(t), NotAsked: notAsked(t), Judged: judged(t), Distinct: distinct(t), Period: period(t),
		Complete: completeText(t), Made: made.UTC().Format(time.RFC3339), Effects: tallies(t.Totals.ByEffect),
		Reversibilities: tallies(t.Totals.ByReversibility)}
	page.Undo = undoGroups(t, query.MaxUndo)
	if t.FromHold != nil {
		page.FromHold = fromHold(t.FromHold)
	}
	for i := range t.DeniedOnly {
		page.Denied = append(page.Denied, deniedOnly(&t.DeniedOnly[i]))
	}
	for _, n := range t.Near {
		page.Near = append(page.Near, nearText(n))
	}
	if len(bars) > 0 {
		page.From, page.To = clock(query.Time{Time: from}), clock(query.Time{Time: to})
	}
	return touchedTemplate.Execute(w, page)
}

// pageOf holds the values of the template.
type pageOf struct {
	T                              *query.Touched
	Bars                           []bar
	Others, NotAsked, Judged, Near []string
	Denied                         []string
	Distinct                       int
	Period, Complete, Made         string
	FromHold                       string
	Undo                           []undoGroup
	From, To                       string // ends of the timeline; empty without rows
	Effects, Reversibilities       []tally
}

func othersText(t *query.Touched) []string {
	var out []string
	for i := range t.OtherCallers {
		out = append(out, otherCaller(&t.OtherCallers[i]))
	}
	return out
}

// tallies returns counts by value: reversibilities sorted by danger, others by count.
func tallies(m map[string]uint64) []tally {
	out := make([]tally, 0, len(m))
	for k, n := range m {
		out = append(out, tally{k, n})
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := schema.DangerRank(out[i].Word), schema.DangerRank(out[j].Word)
		if a != b {
			return a < b
		}
		return out[i].Calls > out[j].Calls || out[i].Calls == out[j].Calls && out[i].Word < out[j].Word
	})
	return out
}
