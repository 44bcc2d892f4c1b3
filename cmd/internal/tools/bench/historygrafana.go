package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"flyball/dashboards/boards"
	"flyball/dashboards/plugin"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// Sizes of what a history has beside calls, for Grafana's panels.
const (
	historyFindings = 5_000
	historyChanges  = 5_000 // of breakers: one in a hundred is open
	historyGates    = 2_000
	historyScores   = 20_000
)

// fillJudgements adds findings, scores, changes of breakers and questions about the runs of some calls, spread over the days, and a
// baseline that knows their agents.
func fillJudgements(ctx context.Context, c *clickhouse.Conn, some []schema.Call, end time.Time, days int) error {
	findings, scores := clickhouse.FindingsTable.NewBlock(), clickhouse.ScoresTable.NewBlock()
	breakers, gates := clickhouse.BreakersTable.NewBlock(), clickhouse.GatesTable.NewBlock()
	of := func(k, n int) (*schema.Call, int64) {
		return &some[k%len(some)], end.Add(-time.Duration(n-k) * time.Duration(days) * 24 * time.Hour / time.Duration(n)).UnixNano()
	}
	for k := range historyFindings {
		call, at := of(k, historyFindings)
		f := schema.Finding{ID: schema.FindingID(call.RunID, fmt.Sprint(k)), Version: 1, Tenant: call.Tenant, RunID: call.RunID,
			AgentID: call.AgentID, Family: schema.FamilyLoop, Level: schema.Level(1 + k%3), State: schema.FindingState(k % 2), OpenedAt: at,
			UpdatedAt: at, Score: float64(k % 20), Summary: "called the same route again and again"}
		findings.Append(&f)
	}
	for k := range historyScores {
		call, at := of(k%200, 200)
		scores.AppendValue(schema.Score{Tenant: call.Tenant, RunID: call.RunID, At: at + int64(k), Value: float64(k) / 1000,
			Level: schema.LevelAlert, Call: schema.CallRef{Offset: int64(k)}})
	}
	for k := range historyChanges {
		call, at := of(k, historyChanges)
		b := schema.Breaker{Tenant: call.Tenant, Scope: schema.Scope{Kind: schema.ScopeRun, Value: fmt.Sprint("run-", k/2)},
			State: schema.BreakerOpen, Mode: schema.ModeArmed, AgentID: call.AgentID, RunID: call.RunID, Since: at, Generation: uint64(k) + 1,
			Origin: "detector", Reason: "loop"}
		if k%2 == 1 && k%100 != 1 {
			b.State = schema.BreakerClosed
		}
		breakers.Append(&b)
	}
	for k := range historyGates {
		call, at := of(k, historyGates)
		gates.AppendValue(schema.Gate{ID: fmt.Sprint("g_", k), Tenant: call.Tenant, AgentID: call.AgentID, RunID: call.RunID,
			State: schema.GateGranted, Generation: uint64(k) + 1, AskedAt: at, DecidedAt: at, Mode: schema.ModeArmed})
	}
	baselines, known := clickhouse.BaselinesTable.NewBlock(), map[[2]string]bool{}
	for i := range some {
		call := &some[i]
		if name := [2]string{call.Tenant, call.AgentID}; call.AgentID != "" && !known[name] {
			known[name] = true
			group, _, _ := strings.Cut(call.AgentID, "/")
			body, _ := json.Marshal(map[string]string{"group": group})
			baselines.AppendValue(schema.BaselineRow{Tenant: call.Tenant, Agent: call.AgentID, MadeAt: end.UnixNano(), Version: "v1", Runs: 100,
				Calls: 2000, Body: string(body)})
		}
	}
	for _, rows := range []clickhouse.Rows{findings, scores, breakers, gates, baselines} {
		if err := c.Insert(ctx, rows); err != nil {
			return err
		}
	}
	return nil
}

// grafanaQuestions are the queries of Grafana's panels, asked through the backend of its data source.
func grafanaQuestions(addr string, some []schema.Call, end time.Time, days int) ([]question, error) {
	settings, err := json.Marshal(map[string]string{"addr": addr, "database": "flyball"})
	if err != nil {
		return nil, err
	}
	instance, err := plugin.New(context.Background(), backend.DataSourceInstanceSettings{Name: "bench", UID: "bench", JSONData: settings})
	if err != nil {
		return nil, err
	}
	source := instance.(*plugin.Datasource)
	var out []question
	asked := map[string]bool{}
	add := func(q plugin.Query, where string, ranges ...time.Duration) {
		text, _ := json.Marshal(&q)
		if asked[string(text)] {
			return // the same query is measured already
		}
		asked[string(text)] = true
		for _, back := range ranges {
			one := grafanaQuestion(source, q, back, some, end)
			one.name += where
			out = append(out, one)
		}
	}
	month := time.Duration(days) * 24 * time.Hour
	for _, q := range grafanaQueries() {
		add(q, "", 6*time.Hour, month, 365*24*time.Hour)
	}
	for _, b := range boards.All() {
		for _, q := range boardQueries(&b) {
			add(q, ", dashboard "+b.Title, 6*time.Hour, month)
		}
	}
	return out, nil
}

// grafanaQueries are queries of every type, with "+" for a value that each execution takes from a stored call.
func grafanaQueries() []plugin.Query {
	out := []plugin.Query{{Type: "runs"}, {Type: "runs", Sort: "latest"}, {Type: "runs", Agent: "+"},
		{Type: "findings", State: "open"},
		{Type: "held"}, {Type: "breakers"}, {Type: "breakers", State: "trips"}, {Type: "gates"}, {Type: "gates", State: "waiting"},
		{Type: "agents"}, {Type: "agents", Agent: "+"}, {Type: "routes", Agent: "+"}, {Type: "routes", Run: "+"},
		{Type: "trace", Run: "+", Limit: 1000}, {Type: "touched", Run: "+"}, {Type: "touched_graph", Run: "+"}, {Type: "score", Run: "+"},
		{Type: "resource", Resource: "+"}, {Type: "distribution", Of: "calls", Agent: "+"}, {Type: "distribution", Of: "errors"},
		{Type: "distribution", Of: "calls", By: "time", Agent: "+"}, {Type: "distribution", Of: "duration", By: "quantile", Agent: "+"},
		{Type: "calls", By: "outcome"}, {Type: "calls", By: "reversibility"},
		{Type: "calls", By: "outcome", Agent: "+"}, {Type: "count", Of: "trips", By: "agent"},
		{Type: "count", Of: "findings", By: "level"}, {Type: "count", Of: "irreversible", By: "agent"}, {Type: "logs", Agent: "+"},
		{Type: "logs", Run: "+"}, {Type: "health"}, {Type: "quality"}, {Type: "annotations"},
		{Type: "sql", SQL: "SELECT agent_id, count() AS n FROM runs WHERE $__timeFilter(last_at) " +
			"GROUP BY agent_id ORDER BY n DESC LIMIT 100"},
		{Type: "runs", Filters: []plugin.Filter{{Key: "agent", Operator: "!=", Value: "+"}}},
		{Type: "runs", Filters: []plugin.Filter{{Key: "agent", Operator: "=~", Value: ".*1"}}},
	}
	for _, of := range []string{"calls", "dead_letters", "denied", "findings", "gates_waiting", "held", "irreversible", "lag_seconds",
		"stale_points", "trips", "trips_over_budget", "bypasses"} {
		out = append(out, plugin.Query{Type: "count", Of: of})
	}
	for _, of := range []string{"agents", "runs", "resources", "tenants", "families", "owners"} {
		out = append(out, plugin.Query{Type: "variable", Of: of})
	}
	for _, kind := range []string{"trips", "bypass", "baseline", "version"} {
		out = append(out, plugin.Query{Type: "annotations", Kinds: kind})
	}
	for _, part := range []string{"ingest", "detect", "stitching", "store", "breakers", "bypass"} {
		out = append(out, plugin.Query{Type: "health", Part: part})
	}
	return out
}

// boardQueries are the queries of a dashboard with all of its agents, and with one; its other variables have a value each.
func boardQueries(b *boards.Board) (out []plugin.Query) {
	for _, asked := range b.Queries() {
		q := plugin.Query{Type: asked.Type, Agent: asked.Agent, Run: asked.Run, Resource: asked.Resource, MinLevel: asked.MinLevel,
			Limit: asked.Limit, Sort: asked.Sort, Family: asked.Family, State: asked.State, By: asked.By, Of: asked.Of, Part: asked.Part,
			Kinds: asked.Kinds, SQL: asked.SQL} // an owner: all, which is what the list begins with
		for value, with := range map[*string]string{&q.Run: "+", &q.Resource: "+", &q.Of: "calls"} {
			if strings.HasPrefix(*value, "${") {
				*value = with
			}
		}
		if q.Agent == "" {
			out = append(out, q)
			continue
		}
		every := q
		q.Agent, every.Agent = "+", ""
		out = append(out, q, every)
	}
	return out
}

func grafanaQuestion(source *plugin.Datasource, q plugin.Query, back time.Duration, some []schema.Call, end time.Time) question {
	name := "grafana " + q.Type
	for _, word := range []string{q.Sort, q.By, q.Of, q.Kinds, q.State, q.Part, q.MinLevel} {
		name += dashed(word)
	}
	name += fmt.Sprintf(", %.0f h", back.Hours())
	for _, of := range [][2]string{{"agent", q.Agent}, {"run", q.Run}, {"resource", q.Resource}} {
		if of[1] != "" {
			name += " of a " + of[0]
		}
	}
	if q.Limit > 0 {
		name += fmt.Sprintf(" limit %d", q.Limit)
	}
	if q.SQL != "" {
		name += ": " + strings.Join(strings.Fields(q.SQL), " ")[:min(40, len(q.SQL))]
	}
	if len(q.Filters) > 0 {
		name += " agent " + q.Filters[0].Operator
	}
	return question{name, func(ctx context.Context, _ query.DB, k int) error {
		call, asked := &some[k%len(some)], q
		for value, with := range map[*string]string{&asked.Agent: call.AgentID, &asked.Run: call.RunID.String(),
			&asked.Resource: call.Resources[0].String()} {
			if *value == "+" {
				*value = with
			}
		}
		if len(q.Filters) > 0 && q.Filters[0].Value == "+" {
			asked.Filters = []plugin.Filter{{Key: "agent", Operator: q.Filters[0].Operator, Value: call.AgentID}}
		}
		text, err := json.Marshal(&asked)
		if err != nil {
			return err
		}
		got, err := source.QueryData(ctx, &backend.QueryDataRequest{Queries: []backend.DataQuery{{RefID: "A", JSON: text,
			Interval: back / 300, TimeRange: backend.TimeRange{From: end.Add(-back), To: end}}}})
		if err != nil {
			return err
		}
		return got.Responses["A"].Error
	}}
}

func dashed(word string) string {
	if word == "" {
		return ""
	}
	return " " + word
}
