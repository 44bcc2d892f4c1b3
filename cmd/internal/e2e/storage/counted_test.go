package storage

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"flyball/dashboards/plugin"
	"flyball/detect/stitch"
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
	callers, err := query.CallingAgents(ctx, c, query.Window{Since: from, Until: to})
	note("calling agents", uint64(len(callers)), err)
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
	insert(t, c, runs)
	run, err := query.ResolveRun(t.Context(), c, "task-7")
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// Four calls, by the rows that detect's stitching makes of their logs: one that the check, a
// gateway, a sidecar and the service recorded; one that only the check recorded; one whose line came
// after it had counted; one that the check denied. Everything that counts calls finds four.
func TestCallSeenByFourCountsOnce(t *testing.T) {
	c := migrated(t)
	at := time.Now().Add(-time.Hour).Truncate(time.Second).UTC()
	run, rows := insertCallSeenByFour(t, c, at)
	const want = 4
	if got := sql(t, c, "SELECT countIf(counted), count() FROM {db}.calls"); got != fmt.Sprintf("%d\t%d", want, rows) {
		t.Errorf("the view counts %s, want %d of %d rows", got, want, rows)
	}
	counts := countsOf(t, c, run, at.Add(-time.Hour), at.Add(time.Hour))
	readme, err := os.ReadFile("../../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(readme), "curl 127.0.0.1:8123 --data \"")
	example, _, _ = strings.Cut(example, "\"")
	_, n, _ := strings.Cut(sql(t, c, strings.ReplaceAll(example, "flyball.", "{db}.")), "\t")
	counts["the example of README.md"], _ = strconv.ParseUint(n, 10, 64)
	for what, n := range counts {
		if n != want {
			t.Errorf("%s counts %d calls, want %d", what, n, want)
		}
	}
	report, err := query.RunInFull(t.Context(), c, run, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var observers []int
	for _, v := range report.CallList {
		names, _ := v["observers"].([]string)
		observers = append(observers, len(names))
	}
	if fmt.Sprint(observers) != "[4 0 2 2]" {
		t.Errorf("the run shows calls of %v observers, want one of 4, one of the check alone, two of 2", observers)
	}
}

// countsOf returns how many calls of a run each query counts.
func countsOf(t *testing.T, c *clickhouse.Conn, run query.Run, from, to time.Time) map[string]uint64 {
	t.Helper()
	ctx := t.Context()
	counts := map[string]uint64{"runs": run.Calls, "irreversible calls of runs": run.Irreversible}
	note := func(what string, n uint64, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		counts[what] = n
	}
	touched, err := query.TouchedBy(ctx, c, query.Subject{Kind: "run", Value: run.RunID}, &run, query.Window{})
	note("touched", touched.Calls, err)
	touched, err = query.TouchedBy(ctx, c, query.Subject{Kind: "agent", Value: run.AgentID}, nil, query.Window{})
	note("touched --agent", touched.Calls, err)
	agents, err := query.Agents(ctx, c, from, to)
	note("agents", agents[0].Calls, err)
	routes, err := query.Routes(ctx, c, from, to, 10)
	note("routes", routes[0].Calls, err)
	start, err := query.StartHere(ctx, c, from, to, 10)
	note("start-here, and the denied one", start[0].Calls+1, err)
	usage, err := query.Usage(ctx, c, query.Caller{Agent: run.AgentID}, from, to)
	note("usage", usage[0].Calls, err)
	totals, err := query.UsageTotals(ctx, c, query.Caller{Agent: run.AgentID}, from, to)
	note("totals", totals.Calls, err)
	all, err := query.CountCalls(ctx, c)
	note("stored calls", all, err)
	problems, err := query.HygieneFindings(ctx, c, from, to)
	note("hygiene", problems[0].Calls, err)
	for _, q := range []string{"calls", "trace"} {
		note("Grafana: "+q, panelCalls(t, c, plugin.Query{Type: q, Run: run.RunKey}, from, to), nil)
	}
	note("Grafana: touched", panelCalls(t, c, plugin.Query{Type: "touched", Run: run.RunKey}, from, to), nil)
	return counts
}

// insertCallSeenByFour stitches the rows and stores them, and returns their run and number.
func insertCallSeenByFour(t *testing.T, c *clickhouse.Conn, at time.Time) (query.Run, int) {
	t.Helper()
	p := stitch.NewPartition(0, stitch.DefaultLimits())
	offset := int64(0)
	seen := func(n int, kind schema.ObserverKind, change ...func(*schema.Call)) {
		offset++
		v := schema.Call{Source: schema.Source{Topic: kind.String()}, Pos: schema.Position{Offset: offset}, Tenant: "default",
			RoutingKey: "g:team/bot", RunKey: "task-8", Start: at.Add(time.Duration(n) * time.Second).UnixNano(), DurationNs: -1,
			ObserverKind: kind, Observer: kind.String(), Format: kind.String() + "/1", Method: "DELETE", Path: fmt.Sprint("/orders/", n),
			Route: "/orders/{id}", RouteKey: "/orders/{}", Status: 204, Outcome: schema.OutcomeOK, RequestID: fmt.Sprint("q-", n),
			AgentID: "team/bot", AgentTrust: schema.TrustInfrastructure, Effect: schema.EffectDelete, Reversibility: schema.Irreversible,
			ReversibilitySource: schema.ProvenanceMethod, Resources: []schema.Resource{{Type: "order", ID: fmt.Sprint(n)}}}
		if kind == schema.ObserverGate {
			v.Source.Topic, v.Status, v.Outcome = "flyball.check/p", 0, schema.OutcomeUnknown
		}
		for _, f := range change {
			f(&v)
		}
		p.Apply(&v, offset)
		insertCalls(t, c, v)
	}
	denied := func(v *schema.Call) { v.Status, v.Outcome, v.DeniedBy = 403, schema.OutcomeDenied, "flyball" }
	for _, by := range []schema.ObserverKind{schema.ObserverGate, schema.ObserverGateway, schema.ObserverSidecar, schema.ObserverServer} {
		seen(1, by)
	}
	seen(2, schema.ObserverGate)
	seen(3, schema.ObserverGate)
	seen(4, schema.ObserverGate, denied)
	seen(4, schema.ObserverGateway, denied)
	p.AdvanceLogClock(at.Add(10 * time.Minute).UnixNano())
	if err := p.EachAskedOnly(offset, func(_ *stitch.Run, v *schema.Call) { insertCalls(t, c, *v) }); err != nil {
		t.Fatal(err)
	}
	seen(3, schema.ObserverGateway)
	runs := clickhouse.RunsTable.NewBlock()
	for _, r := range p.TakeChanged(nil) {
		s := r.Snapshot()
		runs.Append(&s)
	}
	insert(t, c, runs)
	run, err := query.ResolveRun(t.Context(), c, "task-8")
	if err != nil {
		t.Fatal(err)
	}
	return run, int(offset)
}

// A call whose line came after the row of the check had counted is logged: the report does not call it unlogged, and
// shows how it ended, in the line's words.
func TestLateLineLeavesTheReportIncomplete(t *testing.T) {
	c := migrated(t)
	at := time.Now().Add(-time.Hour).Truncate(time.Second).UTC()
	run := insertLateLines(t, c, at)
	for _, s := range []query.Subject{{Kind: "run", Value: run.RunID}, {Kind: "agent", Value: run.AgentID},
		{Kind: "resource", Value: "order:1"}, {Kind: "resource", Value: "order:2"}, {Kind: "resource", Value: "order:4"}} {
		var of *query.Run
		if s.Kind == "run" {
			of = &run
		}
		// The lines start after the end of the window, and their calls before it.
		report, err := query.TouchedBy(t.Context(), c, s, of, query.Window{Since: at, Until: at.Add(10*time.Second - time.Millisecond)})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range report.Resources {
			got = append(got, fmt.Sprintf("%s ok %d failed %d denied %d bytes %d", r.Resource, r.OK, r.Failed, r.Denied, r.BytesOut))
		}
		slices.Sort(got)
		want := []string{"order:1 ok 0 failed 1 denied 0 bytes 111", "order:2 ok 0 failed 0 denied 1 bytes 222",
			"order:4 ok 1 failed 0 denied 0 bytes 0"}
		if s.Kind == "resource" {
			want = slices.DeleteFunc(want, func(v string) bool { return !strings.HasPrefix(v, s.Value+" ") })
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s touched\n%s\nwant\n%s", s.Value, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		// Only order 4 has no line.
		if unlogged := s.Kind != "resource" || s.Value == "order:4"; hasCaveat(report, "asked_only") != unlogged || report.Complete == unlogged {
			t.Errorf("%s: complete %t, caveats %q", s.Value, report.Complete, report.Caveats)
		} else if text := strings.Join(report.Caveats, " "); unlogged && !strings.Contains(text, "asked_only: 1 calls") {
			t.Errorf("%s: %s", s.Value, text)
		}
	}
	report, err := query.RunInFull(t.Context(), c, run, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range report.CallList {
		got = append(got, fmt.Sprint(v["path"], " ", v["outcome"], " ", v["status"], " ", v["bytes_out"]))
	}
	if want := "/orders/1 server_error 500 111, /orders/2 denied 403 222, /orders/4 <nil> <nil> <nil>"; strings.Join(got, ", ") != want {
		t.Errorf("the run shows %s, want %s", strings.Join(got, ", "), want)
	}
}

// insertLateLines stitches and stores three calls that the check let through. The lines of two come ten minutes later; a
// sidecar logs the first one, too.
func insertLateLines(t *testing.T, c *clickhouse.Conn, at time.Time) query.Run {
	t.Helper()
	p := stitch.NewPartition(0, stitch.DefaultLimits())
	offset, touches := int64(0), clickhouse.TouchesTable.NewBlock()
	seen := func(n int, kind schema.ObserverKind, outcome schema.Outcome, status uint16, bytes uint64) {
		offset++
		v := schema.Call{Source: schema.Source{Topic: kind.String()}, Pos: schema.Position{Offset: offset}, Tenant: "default",
			RoutingKey: "g:team/bot", RunKey: "task-8", Start: at.Add(time.Duration(n) * time.Second).UnixNano(), DurationNs: -1,
			ObserverKind: kind, Observer: kind.String(), Format: kind.String() + "/1", Method: "DELETE", Path: fmt.Sprint("/orders/", n),
			Route: "/orders/{id}", RouteKey: "/orders/{}", Status: status, Outcome: outcome, RequestID: fmt.Sprint("q-", n),
			AgentID: "team/bot", AgentTrust: schema.TrustInfrastructure, Effect: schema.EffectDelete, Reversibility: schema.Irreversible,
			ReversibilitySource: schema.ProvenanceMethod, BytesOut: bytes, Resources: []schema.Resource{{Type: "order", ID: fmt.Sprint(n)}}}
		if kind == schema.ObserverGate {
			v.Source.Topic = "flyball.check/p"
		} else {
			v.Start += int64(10 * time.Second)
		}
		p.Apply(&v, offset)
		touches.AppendValue(schema.Touch{Tenant: "default", Actor: v.ActorHash, Resource: v.Resources[0], RunID: v.RunID,
			Effect:        v.Effect,
			Reversibility: v.Reversibility, First: v.Start, Last: v.Start})
		insertCalls(t, c, v)
	}
	for _, n := range []int{1, 2, 4} {
		seen(n, schema.ObserverGate, schema.OutcomeUnknown, 0, 0)
	}
	p.AdvanceLogClock(at.Add(10 * time.Minute).UnixNano())
	if err := p.EachAskedOnly(offset, func(_ *stitch.Run, v *schema.Call) { insertCalls(t, c, *v) }); err != nil {
		t.Fatal(err)
	}
	seen(1, schema.ObserverGateway, schema.OutcomeServerError, 500, 111)
	seen(1, schema.ObserverSidecar, schema.OutcomeServerError, 500, 999)
	seen(2, schema.ObserverGateway, schema.OutcomeDenied, 403, 222)
	runs := clickhouse.RunsTable.NewBlock()
	for _, r := range p.TakeChanged(nil) {
		s := r.Snapshot()
		runs.Append(&s)
	}
	insert(t, c, runs, touches)
	run, err := query.ResolveRun(t.Context(), c, "task-8")
	if err != nil {
		t.Fatal(err)
	}
	return run
}
