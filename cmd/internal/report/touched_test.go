package report

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"flyball/schema/clickhouse/query"
)

// forms prints a report in every form.
func forms(t *testing.T, report *query.Touched) map[string]string {
	t.Helper()
	out := map[string]string{}
	for form, print := range map[string]func(io.Writer) error{
		"table": func(w io.Writer) error { return Touched(w, report) },
		"csv":   func(w io.Writer) error { return TouchedCSV(w, report) },
		"html":  func(w io.Writer) error { return TouchedHTML(w, report, time.Unix(0, 0)) },
		"json":  func(w io.Writer) error { return JSON(w, report) },
	} {
		var b strings.Builder
		if err := print(&b); err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		out[form] = b.String()
	}
	return out
}

// An unknown subject is unknown in every form, with what is near and without a made-up time.
func TestUnknownSubjectIsCompleteInAForm(t *testing.T) {
	report := query.Unknown(query.Subject{Kind: "agent", Value: "airline/boking"}, query.Window{}, "no agent is stored")
	report.Near = []query.Near{{Kind: "agent", Value: "airline/booking", How: "spelling"}}
	for form, text := range forms(t, report) {
		for _, want := range []string{"subject_unknown: no agent is stored", "airline/booking"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not have %q: %s", form, want, text)
			}
		}
		if strings.Contains(text, "0001-01-01") || strings.Contains(text, "othing is known to be missing") {
			t.Errorf("%s: %s", form, text)
		}
	}
}

// Each form names agent and run of a row, and all but CSV the run's score, finding and breaker.
func TestReportDoesNotNameWhoTouched(t *testing.T) {
	score, at := 7.25, query.Time{Time: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	const run = "0190aaaa-0000-5000-8000-000000000001"
	report := &query.Touched{Subject: query.Subject{Kind: "resource", Value: "order:123"}, Calls: 1, Complete: true, Since: at,
		Until: at, AsOf: at,
		Resources: []query.TouchedResource{{Resource: "order:123", Calls: 1, OK: 1, FirstAt: at, LastAt: at,
			Agents: []string{"airline/booking"},
			Runs:   []string{run}, RunCount: 1}},
		Runs: []query.TouchingRun{{Run: query.Run{RunID: run, AgentID: "airline/booking", Score: &score, Level: "trip", Breaker: "open"},
			Findings: []query.RunFinding{{ID: "f_1", Family: "runaway.loop", Level: "trip", State: "open",
				Summary: "The same call, 40 times"}}}},
		Coverage: []query.GatewayCoverage{{Gateway: "edge", Calls: 3, Asked: 1}}}
	for form, text := range forms(t, report) {
		wanted := []string{run, "airline/booking", "order:123", "2026-11-20"}
		if form != "csv" {
			wanted = append(wanted, "7.25", "f_1", "runaway.loop", "open", "edge")
		}
		for _, want := range wanted {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not have %q: %s", form, want, text)
			}
		}
	}
}

// At 80 columns each resource was a block of twelve lines: nobody sees what was deleted among what was read.
func TestTouchedIsABlockOfLinesForEachResource(t *testing.T) {
	row := query.TouchedResource{Reversibility: "irreversible", Effect: "delete", Resource: "order:100", Method: "DELETE",
		Route: "/orders/{id}", Agents: []string{"billing/consolidation-and-reporting-bot"},
		Runs: []string{"0190aaaa-0003-5000-8000-000000000003"}, RunCount: 1, Calls: 1}
	var b bytes.Buffer
	if err := Rows(&Screen{Writer: &b, Width: 80, Now: tableTime}, []query.TouchedResource{row, row}, touchedColumns); err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(b.String(), "\n")
	if want := "REVERSIBILITY RESOURCE AGENT RUN CALLS FAILED DENIED"; strings.Join(strings.Fields(head), " ") != want {
		t.Errorf("heads %q", head)
	}
	for _, want := range []string{"irreversible!", "order:100", "billing/cons", "0190aaaa",
		"-o wide has also EFFECT, ROUTE, OK, FIRST, LAST, VIA"} {
		if !strings.Contains(rest, want) {
			t.Errorf("no %q in\n%s", want, rest)
		}
	}
}
