package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/cmd/internal/embedded/clickhouse/enginetest"
	"flyball/dashboards/plugin"
	"flyball/schema"
	"flyball/schema/clickhouse"
)

// store is a database with Flyball's schema in the embedded engine.
type store struct {
	t    *testing.T
	conn *clickhouse.Conn
	addr string
	at   time.Time // the start of what is stored
}

func newStore(t *testing.T) *store {
	t.Helper()
	addr := enginetest.Start(t)
	c, err := clickhouse.Open(clickhouse.Options{Addrs: []string{addr}, Database: enginetest.Database(t, addr)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := clickhouse.Migrate(t.Context(), c, clickhouse.MigrateOptions{Target: clickhouse.Target{Database: c.Database()}}); err != nil {
		t.Fatal(err)
	}
	return &store{t, c, addr, time.Now().Add(-time.Hour).Truncate(time.Minute).UTC()}
}

func (s *store) insert(blocks ...clickhouse.Rows) {
	s.t.Helper()
	for _, b := range blocks {
		if err := s.conn.Insert(s.t.Context(), b); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *store) run(sql string) {
	s.t.Helper()
	if err := s.conn.RunStatement(context.Background(), strings.ReplaceAll(sql, "{db}", s.conn.Database())); err != nil {
		s.t.Fatalf("%s\n%v", sql, err)
	}
}

// deletes stores calls of a run that delete orders, one a second, with an outcome each, and what detect writes beside them.
func (s *store) deletes(tenant, agent string, run byte, level schema.Level, outcomes ...schema.Outcome) schema.RunID {
	s.t.Helper()
	id := schema.RunID{run}
	calls, runs, touches, minutes, hours := clickhouse.CallsTable.NewBlock(), clickhouse.RunsTable.NewBlock(),
		clickhouse.TouchesTable.NewBlock(), clickhouse.MinutesTable.NewBlock(), clickhouse.HoursTable.NewBlock()
	actor := "g:" + agent
	hash := schema.HashActor(actor)
	snapshot := schema.RunSnapshot{RunID: id, Version: 2, RunKey: fmt.Sprint("task-", run), Tenant: tenant, Actor: actor, AgentID: agent,
		AgentTrust: schema.TrustInfrastructure, Rule: schema.RunExplicit, StartedAt: s.at.UnixNano(), Level: level, Score: float64(run)}
	counters := map[time.Time]*schema.Counters{}
	for i, outcome := range outcomes {
		at := s.at.Add(time.Duration(i) * time.Second)
		v := schema.Call{Source: schema.Source{Topic: "edge"}, Pos: schema.Position{Offset: int64(run)*100_000 + int64(i)}, Tenant: tenant,
			RunID: id, ActorHash: hash, RunRule: schema.RunExplicit, RunConfidence: 95, Start: at.UnixNano(), DurationNs: 5e6,
			ObserverKind: schema.ObserverGateway, Observer: "edge", API: "shop", Method: "DELETE", Path: fmt.Sprint("/orders/", i),
			Route:  "/orders/{id}",
			Status: 204, Outcome: outcome, AgentID: agent, AgentTrust: schema.TrustInfrastructure, Effect: schema.EffectDelete,
			Reversibility: schema.Irreversible, Resources: []schema.Resource{{Type: "order", ID: fmt.Sprint(i)}}}
		if outcome == schema.OutcomeDenied {
			v.Status, v.DeniedBy = 403, "flyball"
			snapshot.Denied++
		}
		calls.Append(&v)
		touches.AppendValue(schema.Touch{Tenant: tenant, Actor: hash, Resource: v.Resources[0], RunID: id, Effect: v.Effect,
			Reversibility: v.Reversibility, First: v.Start, Last: v.Start})
		snapshot.Calls, snapshot.LastAt = snapshot.Calls+1, v.Start
		minute := at.Truncate(time.Minute)
		if counters[minute] == nil {
			counters[minute] = &schema.Counters{}
		}
		counters[minute].Outcomes[outcome]++
		if outcome == schema.OutcomeOK || outcome == schema.OutcomeUnknown {
			counters[minute].Done[schema.Irreversible]++
		}
	}
	runs.Append(&snapshot)
	s.insert(calls, runs, touches)
	for minute, n := range counters {
		minutes.AppendValue(schema.MinuteCount{Tenant: tenant, Minute: minute.UnixNano(), CallsPart: int32(run), Counters: *n})
		hours.AppendValue(schema.HourCount{Tenant: tenant, AgentID: agent, Hour: minute.Truncate(time.Hour).UnixNano(), Actor: hash,
			CallsPart: int32(run), Segment: minute.Unix(), Counters: *n})
	}
	s.insert(minutes, hours)
	s.run("INSERT INTO {db}.postings (tenant, kind, value, day, actor_hash) SELECT DISTINCT tenant, 'agent_id', agent_id, " +
		"toDate(started_at), actor_hash FROM {db}.runs_v5")
	return id
}

// finding stores an open finding about a run.
func (s *store) finding(tenant, agent string, run schema.RunID, level schema.Level, family, summary string) string {
	s.t.Helper()
	b := clickhouse.FindingsTable.NewBlock()
	f := schema.Finding{ID: schema.FindingID(run, family), Version: 1, Tenant: tenant, RunID: run, AgentID: agent, Family: family,
		Level: level, State: schema.FindingOpen,
		OpenedAt: s.at.UnixNano(), UpdatedAt: s.at.UnixNano(), Summary: summary, Score: 9, ExpectedRate: 1.42e-232,
		ExpectedOf: "own", ExpectedRuns: 750}
	b.Append(&f)
	s.insert(b)
	return f.ID
}

// ask asks the data source, bound to a tenant if it is not empty, and returns the answer.
func (s *store) ask(tenant string, q plugin.Query) backend.DataResponse {
	s.t.Helper()
	settings, _ := json.Marshal(map[string]string{"addr": s.addr, "database": s.conn.Database(), "tenant": tenant})
	instance, err := plugin.New(s.t.Context(), backend.DataSourceInstanceSettings{UID: "u", JSONData: settings})
	if err != nil {
		s.t.Fatal(err)
	}
	source := instance.(*plugin.Datasource)
	defer source.Dispose()
	text, _ := json.Marshal(q)
	resp, err := source.QueryData(s.t.Context(), &backend.QueryDataRequest{Queries: []backend.DataQuery{{RefID: "A", JSON: text,
		Interval: time.Minute, TimeRange: backend.TimeRange{From: s.at.Add(-time.Hour), To: s.at.Add(2 * time.Hour)}}}})
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.Responses["A"]
}

// frames asks without a bound tenant and returns the frames.
func (s *store) frames(q plugin.Query) data.Frames {
	s.t.Helper()
	r := s.ask("", q)
	if r.Error != nil {
		s.t.Fatalf("%+v: %v", q, r.Error)
	}
	return r.Frames
}

// column returns the values of a field as text; unknown values are "-".
func column(f *data.Frame, name string) (out []string) {
	field, _ := f.FieldByName(name)
	if field == nil {
		return []string{"no field " + name}
	}
	for i := range field.Len() {
		v, ok := field.ConcreteAt(i)
		switch raw, isJSON := v.(json.RawMessage); {
		case !ok:
			out = append(out, "-")
		case isJSON:
			out = append(out, string(raw))
		default:
			out = append(out, fmt.Sprint(v))
		}
	}
	return out
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}
