package report

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"flyball/detect/backtest"
	"flyball/detect/evaluate"
	"flyball/schema"
)

var update = flag.Bool("update", false, "write the golden files anew")

// baselineReports returns the reports on baselines and on decisions that are made again, with what is reported.
func baselineReports() map[string]struct {
	value any
	print func(io.Writer) error
} {
	type printed = struct {
		value any
		print func(io.Writer) error
	}
	was, is := uneven(), uneven()
	is.Version = "t/2"
	is.Provenance.Quarantine = int64(12 * time.Hour)
	delete(is.Status, "cloud/none")
	body := NewBody(was, .001)
	var version Version
	version.Fill(was)
	version.Version, version.Bytes, version.Active = "t/1", 4096, true
	agent, _ := NewAgent(was, "shop/new", .001)
	changes := CompareBaselines(was, is, "", 20)
	again := &evaluate.Rescored{StoredScore: evaluate.StoredScore{RunID: "0190aaaa-0000-5000-8000-000000000001", Agent: "shop/a", Score: 7.25,
		Baseline: "t/1"}, Baseline: "t/2", Key: "shop/a", Why: "its own baseline", Calls: 42, Again: 7.5, Family: "runaway.loop",
		Path: []evaluate.ScorePoint{}, Caveat: "the run was scored by t/1, and this is t/2"}
	side := backtest.Side{Configuration: "the present one", FalseTripsPer1000: 1, Threshold: 6.5, ThresholdOf: schema.KnownAgent,
		Trips: []*backtest.Trip{}, Share: .002, Low: .001, High: .004}
	candidate := side
	candidate.Configuration, candidate.FalseTripsPer1000, candidate.Threshold = "candidate.yaml", 0.5, 7.5
	decided := &backtest.Report{Baseline: "t/1", Since: time.Unix(1e9, 0).UTC(), Until: time.Unix(1e9+86400, 0).UTC(),
		Runs: 2000, Calls: 82000, Present: side, Candidate: &candidate,
		Notes: []string{"calls that Flyball denied at that time are not scored: what the runs would have done " +
			"next is not known"}}
	measured := filled[evaluate.Report]("airline")
	return map[string]printed{
		"baseline":   {body, func(w io.Writer) error { return Baseline(w, body) }},
		"versions":   {[]Version{version}, func(w io.Writer) error { return Versions(w, []Version{version}) }},
		"no-version": {[]Version{}, func(w io.Writer) error { return Versions(w, nil) }},
		"agent":      {agent, func(w io.Writer) error { return AgentBaseline(w, agent) }},
		"difference": {changes, func(w io.Writer) error { return Difference(w, changes) }},
		"rescored":   {again, func(w io.Writer) error { return Rescored(w, again) }},
		"backtest":   {decided, func(w io.Writer) error { return Backtest(w, decided, 340) }},
		"eval":       {measured, func(w io.Writer) error { return Eval(w, &measured) }},
	}
}

// People read reports on terminals of these widths, and programs read JSON: a change is visible in the golden files.
func TestBaselineReportsOnScreens(t *testing.T) {
	all := baselineReports()
	for _, width := range []int{0, 80, 120, 200} {
		var out bytes.Buffer
		for _, name := range slices.Sorted(maps.Keys(all)) {
			fmt.Fprintf(&out, "=== %s\n", name)
			if err := all[name].print(&Screen{Writer: &out, Width: width, Now: time.Unix(1e9, 0)}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			fmt.Fprintln(&out)
		}
		golden(t, fmt.Sprintf("screens/%d.txt", width), out.Bytes())
	}
	for name, r := range all {
		var out bytes.Buffer
		if err := JSON(&out, r.value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		golden(t, name+".json", out.Bytes())
	}
}

// golden compares a text with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test ./cmd/internal/report -update writes it anew):\n%s\nwant\n%s", name, got, want)
	}
}
