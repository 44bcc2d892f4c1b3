package storage

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"flyball/dashboards/plugin"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// A call that a gateway, a sidecar and the check saw counts once in every place that counts
// calls: SQL of analysts, queries of commands and the API, and Grafana.
func TestCallSeenByThreeCountsOnce(t *testing.T) {
	c := migrated(t)
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	run := insertCallSeenByThree(t, c, at)
	from, to := at.Add(-time.Hour), at.Add(time.Hour)
	ctx := t.Context()

	if got := sql(t, c, "SELECT countIf(counted), countIf(denied_by_flyball), count() FROM {db}.calls"); got != "1\t0\t3" {
		t.Errorf("the view counts %s, want 1, 0 of 3 rows", got)
	}
	counts := map[string]uint64{}
	note := func(what string, n uint64, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		counts[what] = n
	}
	touched, err := query.TouchedBy(ctx, c, query.Subject{Kind: "run", Value: run.RunID}, &run, query.Window{})
	note("touched", touched.Calls, err)
	routes, err := query.Routes(ctx, c, from, to, 10)
	note("routes", routes[0].Calls, err)
	start, err := query.StartHere(ctx, c, from, to, 10)
	note("start-here", start[0].Calls, err)
	usage, err := query.Usage(ctx, c, query.Caller{Agent: "team/bot"}, from, to)
	note("usage", usage[0].Calls, err)
	totals, err := query.UsageTotals(ctx, c, query.Caller{Agent: "team/bot"}, from, to)
	note("totals", totals.Calls, err)
	agents, err := query.Agents(ctx, c, from, to)
	note("agents", agents[0].Calls, err)
	after, err := query.CallsAfterTrip(ctx, c, run.RunID, from)
	note("calls after the trip", after.Calls, err)
	coverage, err := query.ReadCoverage(ctx, c, from, to)
	note("coverage", coverage.Rows[0].Calls, err)
	problems, err := query.HygieneFindings(ctx, c, from, to)
	note("hygiene", problems[0].Calls, err)
	for _, q := range []string{"calls", "touched", "trace"} {
		note("Grafana: "+q, panelCalls(t, c, plugin.Query{Type: q, Run: run.RunKey}, from, to), nil)
	}
	for what, n := range counts {
		if n != 1 {
			t.Errorf("%s counts %d calls, want 1", what, n)
		}
	}
}

// panelCalls returns the number of calls that a panel of the Grafana data source shows.
func panelCalls(t *testing.T, c *clickhouse.Conn, q plugin.Query, from, to time.Time) (n uint64) {
	t.Helper()
	settings, _ := json.Marshal(map[string]string{"addr": c.Addrs()[0], "database": c.Database()})
	instance, err := plugin.New(t.Context(), backend.DataSourceInstanceSettings{JSONData: settings})
	if err != nil {
		t.Fatal(err)
	}
	source := instance.(*plugin.Datasource)
	defer source.Dispose()
	text, _ := json.Marshal(q)
	resp, err := source.QueryData(t.Context(), &backend.QueryDataRequest{Queries: []backend.DataQuery{
		{RefID: "A", JSON: text, TimeRange: backend.TimeRange{From: from, To: to}, Interval: time.Minute}}})
	if err != nil || resp.Responses["A"].Error != nil {
		t.Fatalf("%s: %v, %v", q.Type, err, resp.Responses["A"].Error)
	}
	frame := resp.Responses["A"].Frames[0]
	if q.Type == "trace" { // a span for each call below one for the run
		return uint64(frame.Rows() - 1)
	}
	calls, _ := frame.FieldByName("calls")
	for i := range frame.Rows() {
		n += uint64(*calls.At(i).(*float64))
	}
	return n
}

func insertCallSeenByThree(t *testing.T, c *clickhouse.Conn, at time.Time) query.Run {
	t.Helper()
	seen := func(kind schema.ObserverKind, topic string, attrs ...schema.Attr) schema.Call {
		return schema.Call{Source: schema.Source{Topic: topic}, Tenant: "default", RunID: schema.RunID{1}, RunRule: schema.RunExplicit,
			RunConfidence: 95,
			Start:         at.UnixNano(), DurationNs: -1, ObserverKind: kind, Observer: topic, Method: "DELETE", Path: "/orders/7",
			Route:  "/orders/{id}",
			Status: 204, Outcome: schema.OutcomeOK, RequestID: "q-1", AgentID: "team/bot", AgentTrust: schema.TrustInfrastructure,
			Effect: schema.EffectDelete, Reversibility: schema.Irreversible, ReversibilitySource: schema.ProvenanceMethod,
			Resources: []schema.Resource{{Type: "order", ID: "7"}}, Attrs: attrs}
	}
	again := seen(schema.ObserverSidecar, "mesh", schema.Attr{Key: "observation_of", Value: "edge/0/0/0"})
	again.Duplicate = true
	insertCalls(t, c, seen(schema.ObserverGateway, "edge"), seen(schema.ObserverGate, "check"), again)
	runs := clickhouse.RunsTable.NewBlock()
	runs.AppendValue(schema.RunSnapshot{RunID: schema.RunID{1}, Version: 2, RunKey: "task-7", Tenant: "default", AgentID: "team/bot",
		AgentTrust: schema.TrustInfrastructure, Rule: schema.RunExplicit, StartedAt: at.UnixNano(), LastAt: at.UnixNano(), Calls: 1})
	if err := c.Insert(t.Context(), runs); err != nil {
		t.Fatal(err)
	}
	run, err := query.ResolveRun(t.Context(), c, "task-7")
	if err != nil {
		t.Fatal(err)
	}
	return run
}
