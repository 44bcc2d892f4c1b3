package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"flyball/cmd/internal/app"
	"flyball/detect/enforce/api"
)

// healthyStatus returns the status of one process with all roles and 13 readers, in which nothing is wrong.
func healthyStatus() *status {
	n := func(v float64) *float64 { return &v }
	s := &status{Ready: true, Records: n(123456789), Calls: n(123456789), OpenRuns: n(100000), Actors: n(9000), Refusals: n(0), Restarts: n(0),
		MemoryMiB: n(900), DeadLetters: map[string]float64{"not_json": 12, "unknown_format": 3, "no_time": 1, "too_large": 1},
		CallsByRule: map[string]float64{"explicit": 1e8, "trace": 2e7, "session": 3456789, "conversation": 1},
		Stored:      map[string]float64{"calls_store": 1e8, "runs_store": 1e7, "findings_store": 900, "audit_store": 22},
		Process: &app.ProcessStatus{Roles: []string{"up"}, Version: "v1.2.3-45-gabcdef012", Started: time.Unix(1.8e9, 0).UTC(), Mode: "observe",
			Armed: []string{}, Kafka: []string{"127.0.0.1:9092"}, ClickHouse: []string{"127.0.0.1:8123"}},
		Control: &api.Status{Points: []api.PointArming{{Point: "gateway-7.example", Mode: "observe"}}}}
	for range 20 {
		s.Parts = append(s.Parts, app.PartState{Part: "part", Ready: true})
	}
	for range 13 {
		s.Readers = append(s.Readers, app.ReaderLag{Reader: "alert-soc", Topic: "flyball.events"})
	}
	return s
}

func TestStatusOfAHealthyDeploymentDoesNotFitAScreen(t *testing.T) {
	var b strings.Builder
	if err := printStatus(&b, healthyStatus()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	if len(lines) > 23 {
		t.Errorf("%d lines", len(lines))
	}
	for _, l := range lines {
		if n := utf8.RuneCountInString(strings.TrimRight(l, " ")); n > 80 {
			t.Errorf("%d columns: %s", n, l)
		}
	}
	t.Logf("%d lines\n%s", len(lines), b.String())
}

func TestStatusDoesNotBeginWithWhatIsWrong(t *testing.T) {
	s := healthyStatus()
	s.Parts[7] = app.PartState{Part: "store", Reason: "ClickHouse is away"}
	s.Parts[9].Warning = "no record of the command log arrives"
	s.Readers[3].Records = 12
	var b strings.Builder
	if err := printStatus(&b, s); err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(b.String(), "\n\n")
	for _, want := range []string{"NOT READY: ClickHouse is away", "WARNING: no record of the command log arrives", "12 records"} {
		if !strings.Contains(head, want) {
			t.Errorf("%q is not in the first block:\n%s", want, b.String())
		}
	}
	if !strings.HasPrefix(head, "store") {
		t.Errorf("a part that is not ready does not come first:\n%s", head)
	}
}
