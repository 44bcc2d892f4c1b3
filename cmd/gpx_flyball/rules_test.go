package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/cmd/internal/app"
	"flyball/detect/enforce/api"
	"flyball/schema"
	"flyball/schema/clickhouse"
)

// alertRule is a provisioned rule, as far as its evaluation needs it: a question and a threshold.
type alertRule struct {
	UID  string
	Data []struct {
		RelativeTimeRange struct{ From, To int } `yaml:"relativeTimeRange"`
		Model             struct {
			QueryType  string `yaml:"queryType"`
			Of, By     string
			Conditions []struct {
				Evaluator struct {
					Type   string
					Params []float64
				}
			}
		}
	}
}

func alertRules(t *testing.T) map[string]*alertRule {
	t.Helper()
	raw, err := os.ReadFile("../../deploy/grafana/provisioning/alerting/flyball.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []struct{ Rules []alertRule } }
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	out := map[string]*alertRule{}
	for i := range file.Groups {
		for j := range file.Groups[i].Rules {
			r := &file.Groups[i].Rules[j]
			out[r.UID] = r
		}
	}
	return out
}

// firing evaluates a rule at a time as Grafana does: one number for each set of labels, each against the threshold. It returns the labels
// of those that fire.
func (v *viewer) firing(t *testing.T, r *alertRule, at time.Time) []string {
	t.Helper()
	asked := r.Data[0]
	question, _ := json.Marshal(fields{"queryType": asked.Model.QueryType, "of": asked.Model.Of, "by": asked.Model.By})
	resp, err := v.source.QueryData(t.Context(), &backend.QueryDataRequest{Queries: []backend.DataQuery{{RefID: "asked", JSON: question,
		TimeRange: backend.TimeRange{From: at.Add(-time.Duration(asked.RelativeTimeRange.From) * time.Second),
			To: at.Add(-time.Duration(asked.RelativeTimeRange.To) * time.Second)}}}})
	if err != nil || resp.Responses["asked"].Error != nil {
		t.Fatalf("%s: %v %v", r.UID, err, resp.Responses["asked"].Error)
	}
	evaluator := r.Data[1].Model.Conditions[0].Evaluator
	out, seen := []string{}, map[string]bool{}
	for _, f := range resp.Responses["asked"].Frames {
		if len(f.Fields) > 0 && f.Meta.Type != data.FrameTypeNumericWide {
			t.Errorf("%s: a rule cannot read a frame of type %q", r.UID, f.Meta.Type)
		}
		for _, x := range f.Fields {
			labels := x.Labels.String()
			n, isNumber := x.At(0).(*float64)
			if !isNumber || n == nil || seen[labels] || x.Len() != 1 {
				t.Fatalf("%s: a rule cannot read the series {%s} of %d values", r.UID, labels, x.Len())
			}
			seen[labels] = true
			if evaluator.Type == "gt" && *n > evaluator.Params[0] || evaluator.Type == "lt" && *n < evaluator.Params[0] {
				out = append(out, labels)
			}
		}
	}
	slices.Sort(out)
	return out
}

// Each provisioned rule is evaluated before something happens, while it does, and after it: it must fire with the labels by which it is
// routed, and must resolve.
func TestAlertRuleNeverFiresOrNeverResolves(t *testing.T) {
	s := newStore(t)
	s.at = time.Now().Add(-2 * time.Minute).UTC()
	lag, stale := 0.0, false
	control := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/status") {
			_ = json.NewEncoder(w).Encode(api.Status{Point: "edge-1", Stale: stale})
			return
		}
		_ = json.NewEncoder(w).Encode(app.ProcessStatus{FalseTrips: new(1.0), Lag: app.Lag{Readers: []app.ReaderLag{
			{Reader: "store", Topic: "flyball.journal", Seconds: lag}, {Reader: "detect", Topic: "flyball.calls"}}}})
	}))
	t.Cleanup(control.Close)
	v, rules := s.viewer(control.URL), alertRules(t)
	now := time.Now()
	expect := func(when string, at time.Time, want map[string]string) {
		t.Helper()
		for uid, r := range rules {
			if got := strings.Join(v.firing(t, r, at), "|"); got != want[uid] {
				t.Errorf("%s: %s fires for %q, want %q", when, uid, got, want[uid])
			}
		}
	}
	for uid, r := range rules {
		if got := v.firing(t, r, now); (len(got) > 0) != (uid == "flyball-no-input") {
			t.Errorf("before: %s fires for %v", uid, got)
		}
	}

	gates, letters := clickhouse.GatesTable.NewBlock(), clickhouse.DeadLettersTable.NewBlock()
	var trips []string
	for i := range 8 {
		run := s.deletes("acme", "team/bad", byte(i+1), schema.LevelTrip, ok)
		trips = append(trips, s.finding("acme", "team/bad", run, schema.LevelTrip, schema.FamilyLoop, "deletes order after order"))
	}
	s.breakers(schema.RunID{9})
	gate := schema.Gate{ID: "g", Tenant: "acme", AgentID: "team/bad", RunID: schema.RunID{1}, Route: "DELETE /orders/{id}",
		State: schema.GatePending, Generation: 1, AskedAt: s.at.UnixNano(), Expires: now.Add(time.Hour).UnixNano(), Mode: schema.ModeArmed}
	gates.AppendValue(gate)
	letters.AppendValue(clickhouse.DeadLetter{At: s.at.UnixNano(), Reason: "no_json", SourceTopic: "edge"})
	s.insert(gates, letters)
	lag, stale = 90, true
	expect("while", now, map[string]string{"flyball-trip": "agent=team/bad|agent=team/calm", "flyball-gate-waits": "agent=team/bad",
		"flyball-lag": "reader=store", "flyball-stale-point": "point=edge-1"})
	for _, uid := range []string{"flyball-dead-letters", "flyball-over-budget"} {
		if len(v.firing(t, rules[uid], now)) != 1 {
			t.Errorf("while: %s does not fire", uid)
		}
	}

	if got := v.firing(t, rules["flyball-no-input"], now); len(got) > 0 {
		t.Error("while: no input fires although calls are stored")
	}

	answered := clickhouse.GatesTable.NewBlock()
	gate.State, gate.Generation, gate.DecidedAt, gate.By = schema.GateRefused, 2, now.UnixNano(), "ana"
	answered.AppendValue(gate)
	verdicts := clickhouse.VerdictsTable.NewBlock()
	for i, id := range trips {
		verdicts.AppendValue(schema.Verdict{Tenant: "acme", FindingID: id, Label: schema.VerdictTrue, By: "ana", Why: "seen",
			At: now.UnixNano(), Generation: uint64(i) + 1})
	}
	s.insert(answered, verdicts)
	lag, stale = 1, false
	after := now.Add(10 * time.Minute)
	for uid, r := range rules {
		at := after // within the window of flyball-no-input, and beyond that of flyball-trip
		switch uid {
		case "flyball-dead-letters":
			at = now.Add(20 * time.Minute)
		case "flyball-no-input":
			at = now.Add(time.Minute)
		}
		if got := v.firing(t, r, at); len(got) > 0 {
			t.Errorf("after: %s still fires for %v", uid, got)
		}
	}
	if len(rules) != 7 {
		t.Errorf("%d rules", len(rules))
	}
}
