package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"flyball/schema/clickhouse/query"
)

var tableTime = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func someRuns() []query.Run {
	score := 7.25
	var out []query.Run
	for i := range 6 {
		out = append(out, query.Run{RunID: fmt.Sprintf("0190aaaa-000%d-5000-8000-00000000000%d", i, i), RunKey: "nightly-import-of-all-orders",
			AgentID: "billing/consolidation-and-reporting-bot", AgentTrust: "verified", RunRule: "explicit", RunConfidence: 100, State: "open",
			Level: []string{"none", "trip"}[i%2], Score: &score, Calls: 123456, Irreversible: uint64(i), DistinctResources: 9,
			LastAt: query.Time{Time: tableTime.Add(-time.Duration(i) * time.Hour)}})
	}
	return out
}

func onScreen(t *testing.T, width int, colour bool, rows []query.Run) string {
	t.Helper()
	var b bytes.Buffer
	if err := Rows(&Screen{Writer: &b, Width: width, Colour: colour, Now: tableTime}, rows, RunColumns); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A table was up to 322 columns wide on every terminal.
func TestTableIsWiderThanItsScreen(t *testing.T) {
	for width := 20; width <= 260; width += 4 {
		text := onScreen(t, width, false, someRuns())
		for line := range strings.Lines(text) {
			if n := runewidth.StringWidth(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d columns on a screen of %d: %q", n, width, line)
			}
		}
	}
}

// What is on a screen is typed into the next command: a cut id must name one run alone.
func TestShortIDNamesTwoRuns(t *testing.T) {
	for _, width := range []int{30, 40, 80, 120, 200} {
		text := onScreen(t, width, false, someRuns())
		for _, r := range someRuns() {
			found := 0
			for _, word := range strings.Fields(text) {
				if len(word) >= shownID && strings.HasPrefix(r.RunID, word) {
					found++
				}
			}
			if found != 1 {
				t.Errorf("%d columns: run %s is named %d times:\n%s", width, r.RunID, found, text)
			}
		}
	}
	short := shortIDs([]string{"f_abcdefgh1234", "f_abcdefgh1299", "run 0190aaaa-0000-5000-8000-000000000001", "x"})
	for id, want := range map[string]string{"f_abcdefgh1234": "f_abcdefgh123", "f_abcdefgh1299": "f_abcdefgh129", "x": "x",
		"run 0190aaaa-0000-5000-8000-000000000001": "run 0190aaaa"} {
		if short[id] != want {
			t.Errorf("%s is shown as %q, not %q", id, short[id], want)
		}
	}
}

// A trip must be visible without colour, and colour must not be in the text of a pipe.
func TestTripDoesNotStandOut(t *testing.T) {
	plainText, coloured := onScreen(t, 120, false, someRuns()), onScreen(t, 120, true, someRuns())
	if !strings.Contains(plainText, "trip!") || strings.Contains(plainText, "\x1b") {
		t.Errorf("without colour: %q", plainText)
	}
	if !strings.Contains(coloured, "\x1b[1;31mtrip!\x1b[0m") {
		t.Errorf("with colour: %q", coloured)
	}
	var pipe bytes.Buffer
	if err := Rows(&pipe, someRuns(), RunColumns); err != nil || strings.Contains(pipe.String(), "\x1b") {
		t.Errorf("%v, %q", err, pipe.String())
	}
	for _, want := range []string{"0190aaaa-0003-5000-8000-000000000003",
		"2026-11-20 09:00:00.000", "billing/consolidation-and-reporting-bot"} {
		if !strings.Contains(pipe.String(), want) {
			t.Errorf("a pipe does not have the whole value %s", want)
		}
	}
}

func TestNoColorIsIgnored(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	if s := NewScreen(&bytes.Buffer{}, tableTime, nil); s.Colour || s.Width != 0 {
		t.Errorf("a buffer is a terminal: %+v", s)
	}
}

func TestAgeIsWrong(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s ago", 119 * time.Second: "119s ago", 3 * time.Minute: "3m ago",
		5 * time.Hour:  "5h ago",
		71 * time.Hour: "71h ago", 12 * day: "12d ago", 365 * day: "2025-11-20", -4 * time.Minute: "in 4m"} {
		if got := Age(tableTime.Add(-d), tableTime); got != want {
			t.Errorf("%s: %q, not %q", d, got, want)
		}
	}
}

// Times in a zone of one's own say the zone.
func TestZoneOfATimeIsNotSaid(t *testing.T) {
	var b bytes.Buffer
	berlin := time.FixedZone("Europe/Berlin", 3600)
	if err := Rows(&Screen{Writer: &b, Zone: berlin}, someRuns()[:1], RunColumns); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"LAST (Europe/Berlin)", "2026-11-20 13:00:00.000"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in %s", want, b.String())
		}
	}
}

// The columns of CSV are the fields of JSON, also of an empty list, and a cell is no formula.
func TestCSVOfAListDiffersFromItsJSON(t *testing.T) {
	rows := someRuns()[:2]
	rows[1].RunKey = "=HYPERLINK(1)"
	for name, list := range map[string][]query.Run{"rows": rows, "none": nil} {
		var b bytes.Buffer
		if err := RowsCSV(&b, list); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		lines, err := csv.NewReader(&b).ReadAll()
		if err != nil || len(lines) != len(list)+1 || lines[0][0] != "run_id" {
			t.Fatalf("%s: %v, %q", name, err, lines)
		}
		for i, r := range list {
			cells := map[string]string{}
			for k, head := range lines[0] {
				cells[head] = lines[i+1][k]
			}
			if cells["run_id"] != r.RunID || cells["calls"] != "123456" || cells["score"] != "7.25" || strings.HasPrefix(cells["run_key"], "=") {
				t.Errorf("%q", cells)
			}
		}
	}
	if err := RowsCSV(&bytes.Buffer{}, map[string]int{}); err == nil {
		t.Error("an object was printed as a list")
	}
}

// The first column is what the next command takes: it was cut, while columns that may be left out were there.
func TestFirstColumnIsCutBesideLessImportantOnes(t *testing.T) {
	for width := 76; width <= 200; width += 4 {
		var b bytes.Buffer
		const heads = "  | ROUTE | EFFECT?? | REVERSIBILITY | AGENTS?? | CALLS | ERRORS? | DENIED | LAST"
		err := Table(&Screen{Writer: &b, Width: width, Now: tableTime}, heads,
			func(row func(...any)) {
				row("!", "DELETE /orders/{id}/lines/{id}", "delete", Undo("irreversible"), 2, 8, 1, 0, "5m ago")
				row(" ", "GET /orders", "read", Undo("read_only"), 2, 8, 1, 0, "5m ago")
			})
		if err != nil || !strings.Contains(b.String(), "DELETE /orders/{id}/lines/{id}") || strings.Contains(b.String(), "…") {
			t.Errorf("%d columns: %v\n%s", width, err, b.String())
		}
	}
}
