package report

import (
	"encoding/csv"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"flyball/detect/backtest"
	"flyball/detect/evaluate"
	"flyball/detect/playbook"
	"flyball/schema/clickhouse/query"
)

// hostile is a text that an agent can send in a path, a name or a header.
const hostile = "\x1b[31m\u202eevil\r\nother line\tcell\u2028\u0085\x00\u200b\xff"

// filled returns a value in which every text is s, every list and map has one element, and
// every pointer is set.
func filled[T any](s string) T {
	var v T
	fill(reflect.ValueOf(&v).Elem(), s, 0)
	return v
}

func fill(v reflect.Value, s string, depth int) {
	if !v.CanSet() || depth > 8 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), s, depth+1)
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf(s))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0), s, depth+1)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, s, depth+1)
		fill(value, s, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if _, is := v.Interface().(time.Time); is {
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), s, depth+1)
		}
	case reflect.Bool:
		v.SetBool(true)
	}
}

// printers returns all functions that print to a terminal.
func printers(s string) map[string]func(io.Writer) error {
	run := filled[query.RunReport](s)
	run.CallList = []map[string]any{
		{"status": s, "outcome": s, "method": s, "path": s, "effect": s, "reversibility": s, "resources": []string{s}},
	}
	run.Scores = []map[string]any{{"call": s, "top": []map[string]any{{"feature": s}}}}
	run.Findings = []map[string]any{{"finding_id": s, "family": s, "level": s, "state": s, "summary": s}}
	run.Decisions = []map[string]any{{"decision_id": s, "action": s, "scope_kind": s, "scope_value": s, "mode": s, "reason": s}}
	run.Tree = []query.TreeLine{{What: s, Status: s, By: s, At: query.Time{Time: time.Unix(0, 0)}}}
	touched := filled[query.Touched](s)
	touched.Complete = false
	differing := filled[evaluate.Rescored](s)
	differing.Same = false
	return map[string]func(io.Writer) error{
		"unknown":   func(w io.Writer) error { return UnknownRun(w, &touched) },
		"not found": func(w io.Writer) error { return NotFound(w, &touched) },
		"runs":      func(w io.Writer) error { return Rows(w, filled[[]query.Run](s), RunColumns) },
		"hits":      func(w io.Writer) error { return Rows(w, filled[[]query.Hit](s), HitColumns) },
		"run":       func(w io.Writer) error { return Run(w, &run) },
		"touched":   func(w io.Writer) error { return Touched(w, &touched) },
		"coverage":  func(w io.Writer) error { c := filled[query.Coverage](s); return Coverage(w, &c) },
		"uncovered": func(w io.Writer) error { return Uncovered(w, filled[[]query.CoverageRow](s)) },
		"finding": func(w io.Writer) error {
			f, c := filled[query.Finding](s), filled[playbook.Entry](s)
			return Finding(w, &f, filled[[]query.Verdict](s), &c)
		},
		"agents":       func(w io.Writer) error { return Agents(w, filled[Inventory](s)) },
		"hygiene":      func(w io.Writer) error { return Hygiene(w, filled[[]query.Hygiene](s)) },
		"routes":       func(w io.Writer) error { return Routes(w, filled[[]query.RouteRow](s)) },
		"start-here":   func(w io.Writer) error { return StartHere(w, filled[[]query.StartRow](s)) },
		"dead letters": func(w io.Writer) error { return DeadLetters(w, filled[[]query.DeadLetterRow](s)) },
		"stitching":    func(w io.Writer) error { return Stitching(w, filled[[]query.StitchingRow](s)) },
		"versions":     func(w io.Writer) error { return Versions(w, filled[[]Version](s)) },
		"baseline":     func(w io.Writer) error { b := filled[BaselineSummary](s); return Baseline(w, &b) },
		"agent":        func(w io.Writer) error { a := filled[Agent](s); return AgentBaseline(w, &a) },
		"differences":  func(w io.Writer) error { d := filled[Differences](s); return Difference(w, &d) },
		"rescored":     func(w io.Writer) error { return Rescored(w, &differing) },
		"backtest":     func(w io.Writer) error { r := filled[backtest.Report](s); return Backtest(w, &r, 1) },
		"eval":         func(w io.Writer) error { r := filled[evaluate.Report](s); return Eval(w, &r) },
	}
}

// A run key with an escape sequence cleared the terminal on which the run was shown, and a run
// key with a line break added a line to its report.
func TestTerminalShowsWhatIsInALogAsItIs(t *testing.T) {
	plain := printers("x")
	for name, print := range printers(hostile) {
		t.Run(name, func(t *testing.T) {
			var b, benign strings.Builder
			if err := print(&b); err != nil {
				t.Fatal(err)
			}
			if err := plain[name](&benign); err != nil {
				t.Fatal(err)
			}
			for _, r := range b.String() {
				if r != '\n' && !unicode.IsPrint(r) {
					t.Fatalf("%q is in %q", r, b.String())
				}
			}
			if got, want := strings.Count(b.String(), "\n"), strings.Count(benign.String(), "\n"); got != want {
				t.Errorf("%d lines, %d of harmless texts: %s", got, want, b.String())
			}
			if !strings.Contains(b.String(), `\x1b[31m\u202eevil\r\nother line\tcell\u2028\u0085\x00\u200b\xff`) {
				t.Errorf("what is in the log is not visible: %q", b.String())
			}
		})
	}
}

func TestTextChangesNothingThatCanBePrinted(t *testing.T) {
	for _, s := range []string{"", "GET /orders/{id}", `a\b`, "größe 価格 🙂 …", `"quoted"`} {
		if Text(s) != s {
			t.Errorf("%q became %q", s, Text(s))
		}
	}
}

// The name of a resource must not become markup of the page.
func TestPageShowsMarkupAsText(t *testing.T) {
	const attack = `"><script>alert(1)</script><img src=x onerror=alert(1)>' & javascript:x` + "\u202e"
	touched := filled[query.Touched](attack)
	touched.Complete = false
	var b strings.Builder
	if err := TouchedHTML(&b, &touched, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, bad := range []string{"<script", "<img", `="">`, "\u202e", "onerror=alert(1)>"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
	// Every text that comes from a log: subject, run, caveat, resource, route, via, other caller.
	if n := strings.Count(page, "&lt;script&gt;"); n < 9 {
		t.Errorf("%d texts are shown: %s", n, page)
	}
	if !strings.Contains(page, "Not its own.") {
		t.Error("other callers are not in the page")
	}
}

func TestCellsOfASpreadsheetAreNoFormulas(t *testing.T) {
	for _, attack := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "＠x", "=cmd|' /C calc'!A0", "a\n=1"} {
		touched := filled[query.Touched](attack)
		var b strings.Builder
		if err := TouchedCSV(&b, &touched); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
		if err != nil || len(rows) != 7 {
			t.Fatalf("%q: %v, %d rows: %s", attack, err, len(rows), b.String())
		}
		found := 0
		for _, row := range rows[1:] {
			for i, cell := range row {
				if strings.Contains(cell, strings.TrimSpace(attack)) {
					found++
				}
				if trimmed := strings.TrimSpace(cell); trimmed != "" && strings.ContainsAny(firstRune(trimmed)+cell[:1], "=+-@\t\r\n＝＋－＠") {
					t.Errorf("column %s: %q", rows[0][i], cell)
				}
			}
		}
		if found < 9 {
			t.Errorf("%q is in %d cells: %s", attack, found, b.String())
		}
	}
	for _, r := range safeCell(hostile) {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("a cell contains %U: %q", r, safeCell(hostile))
		}
	}
	for _, harmless := range []string{"order:1", "a=b", "", "DELETE", "x-1"} {
		if safeCell(harmless) != harmless {
			t.Errorf("%q became %q", harmless, safeCell(harmless))
		}
	}
}

func TestOtherCallersAreInEveryForm(t *testing.T) {
	touched := &query.Touched{Subject: query.Subject{Kind: "run", Value: "r"}, OtherCallers: []query.OtherCaller{
		{RunID: "r-2", AgentID: "search/bot", Standing: "established", Calls: 4, Irreversible: 1}}}
	for form, print := range map[string]func(io.Writer) error{
		"text": func(w io.Writer) error { return Touched(w, touched) },
		"csv":  func(w io.Writer) error { return TouchedCSV(w, touched) },
		"html": func(w io.Writer) error { return TouchedHTML(w, touched, time.Unix(0, 0)) },
		"json": func(w io.Writer) error { return JSON(w, touched) },
	} {
		var b strings.Builder
		if err := print(&b); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"search/bot", "established", "r-2"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s does not have %s: %s", form, want, b.String())
			}
		}
	}
}
