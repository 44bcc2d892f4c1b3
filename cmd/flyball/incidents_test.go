package main

import (
	"encoding/json"
	"strings"
	"testing"

	"flyball/detect/enforce/api"
)

// An answer that was cut by what a command reads ended with "unexpected end of JSON input".
func TestListOfManyIncidentsIsCutSilently(t *testing.T) {
	lines := make([]api.IncidentLine, 3)
	for i := range lines {
		lines[i] = api.IncidentLine{ID: "f_" + strings.Repeat("a", i+6), Level: "trip", State: "open", Worst: []api.IncidentMember{}}
	}
	text, err := json.Marshal(lines)
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, "")
	f.api = map[string]string{"GET /v1/incidents": string(text)}
	code, out, errs := f.run("alert", "list", "--limit", "2")
	if code != exitDone || strings.Count(out, "f_aaaaaa") != 2 || !strings.Contains(errs, "more than 2 incidents are open") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if code, out, errs = f.run("alert", "list", "--limit", "3"); code != exitDone || strings.Count(out, "f_aaaaaa") != 3 || errs != "" {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	wantExit(t, f, exitUsage, "1 to 9999", "alert", "list", "--limit", "0")
}
