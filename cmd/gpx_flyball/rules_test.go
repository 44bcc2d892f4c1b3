package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/cmd/internal/app"
	"flyball/dashboards/plugin"
	"flyball/dashboards/rulestest"
	"flyball/detect/enforce/api"
	"flyball/schema"
	"flyball/schema/clickhouse"
)

func alertRules(t *testing.T) map[string]*rulestest.Rule {
	t.Helper()
	rules, err := rulestest.Read("../../deploy/grafana/provisioning/alerting/flyball.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// evaluate evaluates a rule at a time.
func (v *viewer) evaluate(r *rulestest.Rule, at time.Time) rulestest.Evaluation {
	v.t.Helper()
	return r.Evaluate(at, func(question []byte, from, to time.Time) (data.Frames, error) {
		resp, err := v.source.QueryData(v.t.Context(), &backend.QueryDataRequest{Headers: map[string]string{"FromAlert": "true"},
			Queries: []backend.DataQuery{{RefID: "A", JSON: question, Interval: time.Minute, TimeRange: backend.TimeRange{From: from, To: to}}}})
		if err != nil {
			v.t.Fatal(err)
		}
		return resp.Responses["A"].Frames, resp.Responses["A"].Error
	})
}

// firing evaluates a rule at a time and returns the labels of the series that fire.
func (v *viewer) firing(t *testing.T, r *rulestest.Rule, at time.Time) []string {
	t.Helper()
	e := v.evaluate(r, at)
	if e.Failed != nil {
		t.Fatalf("%s: %v", r.UID, e.Failed)
	}
	out := []string{}
	for labels, state := range e.States {
		if state == "Alerting" {
			out = append(out, labels)
		}
	}
	slices.Sort(out)
	return out
}

// walk evaluates a rule once a minute and returns the worst state of its instances after each evaluation.
func (v *viewer) walk(r *rulestest.Rule, all rulestest.Instances, from time.Time, evaluations int) string {
	v.t.Helper()
	path := []string{}
	for i := range evaluations {
		at := from.Add(time.Duration(i) * time.Minute)
		all.Follow(r, v.evaluate(r, at), at)
		worst := "Normal"
		for _, state := range []string{"Pending", "Alerting", "NoData", "Error"} {
			if all.In(state) != "" {
				worst = state
			}
		}
		path = append(path, worst)
	}
	return strings.Join(path, " ")
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
	states := map[string]rulestest.Instances{}
	for uid, r := range rules {
		states[uid] = rulestest.Instances{}
		want, n := r.Risen()
		if uid != "flyball-no-input" {
			want = strings.TrimSpace(strings.Repeat("Normal ", n))
		}
		if got := v.walk(r, states[uid], now.Add(-20*time.Minute), n); got != want {
			t.Errorf("before: %s: %s, want %s", uid, got, want)
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
	expect("while", now, map[string]string{"flyball-trip": "agent=" + longName + "|agent=team/bad", "flyball-gate-waits": "agent=team/bad",
		"flyball-lag": "reader=store", "flyball-stale-point": "point=edge-1"})
	for _, uid := range []string{"flyball-dead-letters", "flyball-over-budget"} {
		if len(v.firing(t, rules[uid], now)) != 1 {
			t.Errorf("while: %s does not fire", uid)
		}
	}

	for uid, r := range rules {
		want, n := r.Risen()
		if uid == "flyball-no-input" {
			want, n = "Normal", 1
		}
		if got := v.walk(r, states[uid], now, n); got != want {
			t.Errorf("while: %s: %s, want %s", uid, got, want)
		}
	}
	s.withoutControl(t, rules)

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
		// A series that is gone is resolved at the second evaluation without it.
		if v.walk(r, states[uid], at, rulestest.MissingToResolve); states[uid].In("Alerting")+states[uid].In("Pending") != "" {
			t.Errorf("after: %s is not resolved: %v", uid, states[uid])
		}
	}
	if len(rules) != 7 {
		t.Errorf("%d rules", len(rules))
	}
}

// withoutControl checks what the rules do that need the control API, if the settings name none, or if it gives no answer.
func (s *store) withoutControl(t *testing.T, rules map[string]*rulestest.Rule) {
	t.Helper()
	none, away := s.viewer(""), s.viewer("http://127.0.0.1:1")
	for _, uid := range []string{"flyball-lag", "flyball-stale-point", "flyball-over-budget"} {
		r := rules[uid]
		if got := none.walk(r, rulestest.Instances{}, time.Now(), 2); got != "Normal Normal" {
			t.Errorf("%s without controlUrl: %s", uid, got)
		}
		all := rulestest.Instances{}
		if got := away.walk(r, all, time.Now(), 1); got != "Error" || all.In("Error") != rulestest.ErrorAlert {
			t.Errorf("%s with the control API away: %s", uid, got)
		}
	}
}

// Nobody is told that Flyball is away if the rules are quiet then. No input pages like an alarm, after its time; the others raise
// Grafana's own alert, with the labels of the rule.
func TestRulesAreQuietWhileTheDatabaseIsAway(t *testing.T) {
	s := &store{t: t, at: time.Now()}
	v := s.viewerOf(map[string]string{"addr": "127.0.0.1:1"})
	for uid, r := range alertRules(t) {
		all := rulestest.Instances{}
		want, n := r.Risen()
		switch uid {
		case "flyball-no-input":
		case "flyball-lag", "flyball-stale-point", "flyball-over-budget": // without controlUrl they are not about the database
			want, n = "Normal", 1
		default:
			want, n = "Error", 1
		}
		if got := v.walk(r, all, time.Now(), n); got != want {
			t.Errorf("%s: %s, want %s", uid, got, want)
		}
	}
}

// Not only counts can be alerted on: series over time and the quantiles of a distribution are wide, and have labels of their own.
func TestSeriesCannotBeAlertedOn(t *testing.T) {
	s := newStore(t)
	s.tell()
	limit := rulestest.Step{Type: "threshold"}
	if err := json.Unmarshal([]byte(`[{"Evaluator":{"Type":"gt","Params":[0.5]}}]`), &limit.Conditions); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		query  plugin.Query
		reduce string
		want   string
	}{
		{plugin.Query{Type: "calls", By: "outcome"}, "sum", "outcome=denied|outcome=failed|outcome=ok"},
		{plugin.Query{Type: "calls", Agent: "team/bad"}, "max", "agent=team/bad, calls=calls"},
		{plugin.Query{Type: "score", Run: "task-1"}, "last", "run=" + (schema.RunID{1}).String()},
		{plugin.Query{Type: "distribution", Of: "calls", By: "quantile", Agent: "team/bad"}, "last",
			"agent=team/bad, population=agent, quantile=0.5"},
		{plugin.Query{Type: "distribution", Of: "calls", By: "time", Agent: "team/bad"}, "max", "le="},
	} {
		frames := s.frames(tc.query)
		if tc.query.Type == "score" {
			frames = frames[:1]
		}
		values, err := rulestest.ValuesOf(frames)
		if err != nil {
			t.Errorf("%+v: %v", tc.query, err)
			continue
		}
		reduce := rulestest.Step{Type: "reduce", Reducer: tc.reduce}
		reduce.Settings.Mode = "dropNN"
		if values, err = reduce.Eval(values); err == nil {
			values, err = limit.Eval(values)
		}
		all := rulestest.Instances{}
		all.Follow(&rulestest.Rule{For: "0s"}, rulestest.EvaluationOf(values), time.Now())
		if got := all.In("Alerting"); err != nil || !strings.Contains(got, tc.want) {
			t.Errorf("%+v: fires for %q, %v; want %q", tc.query, got, err, tc.want)
		}
	}
}

// Every count, by everything that it can be split by, calls over time, and statements: an alert rule reads each.
func TestNumericQueryCannotBeAlertedOn(t *testing.T) {
	s := newStore(t)
	s.tell()
	control := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/status") {
			_ = json.NewEncoder(w).Encode(api.Status{Point: "edge-1", Stale: true})
			return
		}
		_ = json.NewEncoder(w).Encode(app.ProcessStatus{FalseTrips: new(1.0), Lag: app.Lag{Readers: []app.ReaderLag{{Reader: "store"},
			{Reader: "detect"}}}})
	}))
	t.Cleanup(control.Close)
	v := s.viewer(control.URL)
	ask := func(q plugin.Query, headers map[string]string) backend.DataResponse {
		text, _ := json.Marshal(q)
		resp, err := v.source.QueryData(t.Context(), &backend.QueryDataRequest{Headers: headers, Queries: []backend.DataQuery{{RefID: "A",
			JSON: text, Interval: time.Minute, TimeRange: backend.TimeRange{From: s.at.Add(-time.Hour), To: s.at.Add(2 * time.Hour)}}}})
		if err != nil {
			t.Fatal(err)
		}
		return resp.Responses["A"]
	}
	var queries []plugin.Query
	for of, by := range map[string][]string{"trips": {"agent", "family"}, "findings": {"agent", "level", "family"}, "gates_waiting": {"agent"},
		"held": {"agent"}, "dead_letters": nil, "calls": {"agent"}, "denied": {"agent"}, "irreversible": {"agent"}, "lag_seconds": {"reader"},
		"stale_points": {"point"}, "bypasses": nil, "trips_over_budget": nil} {
		for _, word := range append(by, "") {
			queries = append(queries, plugin.Query{Type: "count", Of: of, By: word})
		}
	}
	for _, by := range []string{"", "outcome", "reversibility"} {
		queries = append(queries, plugin.Query{Type: "calls", By: by}, plugin.Query{Type: "calls", By: by, Agent: "team/bad"})
	}
	for _, sql := range []string{"SELECT count() AS n FROM calls",
		"SELECT agent_id, count() AS n, max(score) AS worst FROM runs GROUP BY agent_id",
		"SELECT toStartOfInterval(start_time, $__interval) AS t, toString(outcome) AS outcome, count() AS n FROM calls " +
			"WHERE $__timeFilter(start_time) GROUP BY t, outcome"} {
		queries = append(queries, plugin.Query{Type: "sql", SQL: sql})
	}
	for _, q := range queries {
		r := ask(q, map[string]string{backend.FromAlertHeaderName: "true"})
		if r.Error != nil {
			t.Errorf("%+v: %v", q, r.Error)
			continue
		}
		if values, err := rulestest.ValuesOf(r.Frames); err != nil || len(values) == 0 {
			t.Errorf("%s of %s by %s %s: %d values, %v", q.Type, q.Of, q.By, q.SQL, len(values), err)
		}
	}
	t.Logf("%d numeric queries", len(queries))
	same(t, "in a table a statement stays as it is", []string{ask(queries[len(queries)-1], nil).Frames[0].Fields[1].Name}, "outcome")
}
