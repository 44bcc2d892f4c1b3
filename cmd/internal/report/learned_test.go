package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"flyball/detect/model/baseline"
	"flyball/detect/model/callrate"
	"flyball/detect/model/sharedcredential"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// taught returns a baseline that knows the pace of ten agents of group g, and the tenant's people in two areas.
func taught() *baseline.Baseline {
	b := baseline.New("default")
	b.Version = "default/1"
	var list []callrate.Series
	for i := range 10 {
		s := callrate.Series{Agent: fmt.Sprint("g/", i), Group: "g"}
		for at := range 4 * callrate.HoursPerWeek {
			s.Cells = append(s.Cells, callrate.HourCounts{Hour: int32(at), ActiveQuarters: 4, Calls: 40, Squares: 400, Max: 10})
		}
		list = append(list, s)
	}
	b.CallRates = callrate.Fit(list, 4, 0)
	var sessions [][]sharedcredential.Input
	for i := range 120 {
		var calls []sharedcredential.Input
		for k := range 8 {
			area := "shop"
			if k > 5 && i < 20 {
				area = "/wiki"
			}
			calls = append(calls, sharedcredential.Input{Answered: true, Given: uint64(100*i + k), Area: area})
		}
		sessions = append(sessions, calls)
	}
	b.People = sharedcredential.LearnTenantPeople(sharedcredential.EmbeddedModel(), sessions)
	return b
}

// What was not learned is said, and has no number.
func TestUnlearnedPaceIsANumberInAListing(t *testing.T) {
	text := func(show func(*bytes.Buffer) error) string {
		var out bytes.Buffer
		if err := show(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	none := baseline.New("default")
	stale := taught()
	stale.CallRates.Calibration.Runs = 0
	for name, tc := range map[string]struct {
		body       *baseline.Baseline
		agent      string // empty: the whole version
		text, json []string
	}{
		"a version": {taught(), "", []string{
			"pace        4 weeks; agents with their own rate: 10, groups with a rate for new agents: 1; of others nothing learned",
			"people      120 sessions, on shop (120), /wiki (20); elsewhere nothing learned"},
			[]string{`"pace":{"weeks":4,"agents":10,"groups":1}`, `"people":{"sessions":120,"areas":{"/wiki":20,"shop":120}}`}},
		"a version without pace and people": {none, "", []string{"pace        nothing learned: no two whole weeks of calls",
			"people      nothing learned: fewer than 99 sessions of people; sessions in people's names are not judged"},
			[]string{`"pace":{"why":"nothing_learned"}`, `"people":{"why":"nothing_learned"}`}},
		"rates without a calibration": {stale, "", []string{"pace        not judged: too few days are known"},
			[]string{`"why":"not_calibrated"`}},
		"a known agent": {taught(), "g/3", []string{
			"pace        usually 10 calls in a quarter of an hour, the mean of a week (its own); its peers 10 calls"},
			[]string{`"pace":{"acquaintance":"known_agent","usual":10`, `"usual_of":"own","peers":10`}},
		"a new agent": {taught(), "g/new", []string{
			"pace        usually 10 calls in a quarter of an hour, the mean of a week (its peers', it has none of its own)\n"},
			[]string{`"pace":{"acquaintance":"new_agent","usual":10,"usual_of":"peers","peers":10}`}},
		"a stranger": {taught(), "shop/1", []string{
			"pace        nothing learned: fewer than 5 days with its own calls, and fewer than 2 such agents"},
			[]string{`"pace":{"acquaintance":"new_population","usual_of":"nothing_learned","why":"nothing_learned"}`}},
	} {
		var shown any
		var got string
		if tc.agent == "" {
			b := NewBody(tc.body, .001)
			shown, got = b, text(func(w *bytes.Buffer) error { return Baseline(w, b) })
		} else {
			a, _ := NewAgent(tc.body, tc.agent, .001)
			shown, got = a, text(func(w *bytes.Buffer) error { return AgentBaseline(w, a) })
		}
		raw, err := json.Marshal(shown)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tc.text {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", name, want, got)
			}
		}
		for _, want := range tc.json {
			if !strings.Contains(string(raw), want) {
				t.Errorf("%s: no %s in\n%s", name, want, raw)
			}
		}
	}
}

// A finding whose usual value was not learned says so where the number would be.
func TestFindingOfNothingLearnedHasANumber(t *testing.T) {
	f := &query.Finding{ID: "f_1", Family: schema.FamilyPace, Level: "alert", ExpectedOf: "nothing_learned",
		Evidence: []schema.Contribution{{Feature: "calls_in_quarter_hour", Observed: 40, Usual: schema.Unknown, Peers: schema.Unknown,
			Humans: schema.Unknown, UsualOf: "nothing_learned"}}}
	var out bytes.Buffer
	if err := Finding(&out, f, nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"How rare it is in clean runs is not known: nothing learned.",
		"calls in a quarter of an hour  40 calls  nothing learned  -            nothing learned  -"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
