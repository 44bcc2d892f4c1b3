package storage

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// manyRuns is much more than the number of ids that fit into one statement.
const manyRuns = 50_000

// The text and the parameters of a query do not grow with its result. Each of these queries
// covers 50,000 runs that share an agent, a resource, a host and a trace, each have a
// different credential with an id of maximum length, and each caused a breaker.
func TestQuestionsAboutManyRunsAreNotRefused(t *testing.T) {
	c := migrated(t)
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	insertManyRuns(t, c, at)
	window := query.Window{Since: at.Add(-time.Hour), Until: at.Add(time.Hour)}
	count := func(what string, got, want int, err error) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("%s: %d, want %d; %.300v", what, got, want, err)
		}
	}
	ctx := t.Context()

	runs, err := query.Runs(ctx, c, query.RunFilter{Limit: 1_000_000})
	count("runs", len(runs), manyRuns, err)
	for _, r := range runs {
		if r.Breaker != "open" {
			t.Fatalf("the breaker of run %s is %q", r.RunID, r.Breaker)
		}
	}
	runs, err = query.RunsWithSimilarKey(ctx, c, "run-1", 1_000_000)
	count("runs with a similar key", len(runs), manyRuns, err)
	hits, err := query.Find(ctx, c, "team/bot", 1_000_000)
	count("find an agent", len(hits), manyRuns, err)
	hits, err = query.Find(ctx, c, "order:1", 1_000_000)
	count("find a resource", len(hits), manyRuns, err)
	hits, err = query.Find(ctx, c, "api.internal", 1_000_000)
	count("find a host", len(hits), manyRuns, err)
	touched, err := query.TouchedBy(ctx, c, query.Subject{Kind: "resource", Value: "order:1"}, nil, window)
	if err != nil || touched.Calls != 1000 || !strings.Contains(fmt.Sprint(touched.Caveats), "only the 1000 newest runs") {
		t.Errorf("touched by resource: %.300v, %+.300v", err, touched)
	}
	touched, err = query.TouchedBy(ctx, c, query.Subject{Kind: "agent", Value: "team/bot"}, nil, window)
	if err != nil || touched.Calls != manyRuns {
		t.Errorf("touched by agent: %.300v, %+.300v", err, touched)
	}
	run, err := query.ResolveRun(ctx, c, "run-7")
	if err != nil || run.Breaker != "open" {
		t.Fatalf("resolve: %+v, %v", run, err)
	}
	touched, err = query.TouchedBy(ctx, c, query.Subject{Kind: "run", Value: run.RunID}, &run, query.Window{})
	if err != nil || !strings.Contains(fmt.Sprint(touched.Caveats), "more than 1000 other runs share its traces") {
		t.Errorf("touched by run: %.300v, %+.300v", err, touched)
	}
	full, err := query.RunInFull(ctx, c, run, 100)
	if err != nil || len(full.LinkedRuns) != 1000 {
		t.Errorf("run in full: %.300v, %+.300v", err, full)
	}
	coverage, err := query.ReadCoverage(ctx, c, window.Since, window.Until)
	if err != nil || coverage.Rows[0].NeverAsked != manyRuns {
		t.Errorf("coverage: %.300v, %+.300v", err, coverage)
	}
	usage, err := query.Usage(ctx, c, query.Caller{Agent: "team/bot", Clean: true}, window.Since, window.Until)
	if err != nil || len(usage) != 1 || usage[0].Runs != manyRuns {
		t.Errorf("usage: %.300v, %+.300v", err, usage)
	}
	agents, err := query.Agents(ctx, c, window.Since, window.Until)
	if err != nil || agents[0].Runs != manyRuns || agents[0].CredentialN != manyRuns {
		t.Errorf("agents: %.300v, %+.300v", err, agents)
	}
	boundIsNamed(t, c, window)
}

// boundIsNamed checks that questions about many runs that meet a bound say so, and answer no part.
func boundIsNamed(t *testing.T, c *clickhouse.Conn, window query.Window) {
	t.Helper()
	ctx := query.WithBounds(t.Context(), query.Bounds{Time: time.Minute, Memory: 1 << 20})
	agents, err := query.Agents(ctx, c, window.Since, window.Until)
	var e *query.Exceeded
	if !errors.As(err, &e) || e.Bound != query.MemoryBound || len(agents) > 0 || !strings.Contains(err.Error(), "1 MiB") {
		t.Errorf("agents within 1 MiB: %d, %v", len(agents), err)
	}
	touched, err := query.TouchedBy(ctx, c, query.Subject{Kind: "agent", Value: "team/bot"}, nil, window)
	if e = nil; !errors.As(err, &e) || touched != nil {
		t.Errorf("touched within 1 MiB: %+.100v, %v", touched, err)
	}
}

// insertManyRuns inserts runs of one call each.
func insertManyRuns(t *testing.T, c *clickhouse.Conn, at time.Time) {
	t.Helper()
	runs, calls, breakers := clickhouse.RunsTable.NewBlock(), clickhouse.CallsTable.NewBlock(), clickhouse.BreakersTable.NewBlock()
	touches := clickhouse.TouchesTable.NewBlock()
	for i := range manyRuns {
		id := schema.RunIdentity{Tenant: "default", Key: fmt.Sprint(i)}.ID()
		start := at.Add(time.Duration(i) * time.Millisecond).UnixNano()
		credential := fmt.Sprintf("%0*d", schema.MaxID, i)
		order := schema.Resource{Type: "order", ID: "1"}
		runs.AppendValue(schema.RunSnapshot{RunID: id, Version: 2, RunKey: fmt.Sprint("run-", i), Tenant: "default", AgentID: "team/bot",
			CredentialID: credential, Rule: schema.RunExplicit, StartedAt: start, LastAt: start, Calls: 1})
		call := schema.Call{Source: schema.Source{Topic: "gw"}, Pos: schema.Position{Offset: int64(i)}, Tenant: "default", RunID: id,
			ActorHash: schema.HashActor(""), Start: start,
			DurationNs: -1, ObserverKind: schema.ObserverGateway, Method: "POST", Host: "api.internal", Path: fmt.Sprint("/orders/1/", i),
			Route: "/orders/{id}", Status: 200, Outcome: schema.OutcomeOK, TraceID: [16]byte{7}, RunRule: schema.RunExplicit, RunConfidence: 95,
			AgentID: "team/bot", CredentialID: credential, Effect: schema.EffectUpdate, Resources: []schema.Resource{order}}
		calls.Append(&call)
		touches.AppendValue(schema.Touch{Tenant: "default", Actor: schema.HashActor(""), Resource: order, RunID: id,
			Effect: call.Effect, First: start, Last: start})
		breakers.AppendValue(schema.Breaker{Tenant: "default", Scope: schema.Scope{Kind: schema.ScopeRun, Value: id.String()}, Generation: 1,
			State: schema.BreakerOpen, Mode: schema.ModeArmed, RunID: id, Since: start})
	}
	insert(t, c, runs, calls, breakers, touches)
}
