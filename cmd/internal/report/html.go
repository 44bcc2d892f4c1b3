package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"sort"
	"strings"
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
	return touchedTemplate.Execute(w, newPage(t, made))
}

// RunHTML prints such a page about a run: who it was, its score, findings, decisions and breakers, what it touched, what can be
// undone, and its calls.
func RunHTML(w io.Writer, r *query.RunReport, t *query.Touched, made time.Time) error {
	page := newPage(t, made)
	page.Run = newRunPart(r)
	return touchedTemplate.Execute(w, page)
}

func newPage(t *query.Touched, made time.Time) pageOf {
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
	return page
}

// runPart is what the page of a run has beside what it touched.
type runPart struct {
	*query.RunReport
	Who       [][2]string // names and values
	Score     string
	Findings  []runFinding
	Decisions []string
	Breakers  []string
	Calls     []runCall
	More      uint64 // calls that are not on the page
}

// runFinding is a finding on the page of a run.
type runFinding struct{ ID, Level, Text string }

// runCall is a call on the page of a run.
type runCall struct {
	At, Status, Outcome, What, Effect, Reversibility, Resources string
}

func newRunPart(r *query.RunReport) *runPart {
	p := &runPart{RunReport: r, Score: scoreText(r.Score)}
	for _, k := range slices.Sorted(maps.Keys(r.Identity)) {
		p.Who = append(p.Who, [2]string{k, fmt.Sprint(r.Identity[k])})
	}
	for _, f := range r.Findings {
		p.Findings = append(p.Findings, runFinding{fmt.Sprint(f["finding_id"]), fmt.Sprint(f["level"]),
			fmt.Sprintf("%v, %v: %v", f["family"], f["state"], f["summary"])})
	}
	for _, d := range r.Decisions {
		p.Decisions = append(p.Decisions, decisionText(d))
	}
	for i := range r.Breakers {
		p.Breakers = append(p.Breakers, breakerText(&r.Breakers[i]))
	}
	for _, c := range r.CallList {
		p.Calls = append(p.Calls, newRunCall(c))
	}
	if n := uint64(len(r.CallList)); n < r.TotalCalls {
		p.More = r.TotalCalls - n
	}
	return p
}

func newRunCall(c map[string]any) runCall {
	field := func(name string) string {
		v, known := c[name]
		if !known {
			return ""
		}
		return fmt.Sprint(v)
	}
	at, _ := c["start_time"].(query.Time)
	resources, _ := c["resources"].([]string)
	return runCall{At: clock(at), Status: Dash(field("status")), Outcome: field("outcome"),
		What:   strings.TrimSpace(field("method") + " " + cmp.Or(field("path"), field("tool"))),
		Effect: field("effect"), Reversibility: field("reversibility"), Resources: strings.Join(resources, " ")}
}

// pageOf holds the values of the template.
type pageOf struct {
	T                              *query.Touched
	Run                            *runPart // nil: the page is not of a run
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
