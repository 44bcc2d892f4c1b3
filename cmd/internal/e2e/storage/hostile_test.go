package storage

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// hostileCalls is the number of calls of an agent that tries to make every question long. By hand: FLYBALL_TEST_HOSTILE=10000000.
func hostileCalls(t *testing.T) int {
	text := os.Getenv("FLYBALL_TEST_HOSTILE")
	if text == "" {
		return 60_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1000 {
		t.Fatalf("FLYBALL_TEST_HOSTILE: %q is no number of calls from 1000", text)
	}
	return n
}

// insertHostile stores n calls of one agent within 90 days: a tenth of them in one run, the others in runs of nine calls. All touch one
// resource, each fifth has a route of its own, and all have one host and one trace id.
func insertHostile(t *testing.T, c *clickhouse.Conn, n int, at time.Time) (long schema.RunID) {
	t.Helper()
	long = schema.RunIdentity{Tenant: "default", Key: "long"}.ID()
	order := schema.Resource{Type: "order", ID: "1"}
	call := schema.Call{Source: schema.Source{Topic: "gw"}, Tenant: "default", RunID: long, ActorHash: schema.HashActor("team/bot"),
		Start: at.UnixNano(), DurationNs: -1, ObserverKind: schema.ObserverGateway, Method: "DELETE", Host: "api.internal", Path: "/orders/1",
		Route: "/orders/{id}", Status: 200, Outcome: schema.OutcomeOK, TraceID: [16]byte{7}, RunRule: schema.RunExplicit, RunConfidence: 95,
		AgentID: "team/bot", CredentialID: "key-1", PrincipalID: "alice", Effect: schema.EffectDelete,
		Reversibility: schema.Irreversible, Resources: []schema.Resource{order}}
	calls, runs, touches := clickhouse.CallsTable.NewBlock(), clickhouse.RunsTable.NewBlock(), clickhouse.TouchesTable.NewBlock()
	calls.Append(&call)
	runs.AppendValue(schema.RunSnapshot{RunID: long, Version: 2, RunKey: "long", Tenant: "default", Actor: "team/bot",
		OpenedDay: schema.DayOf(at.UnixNano()), AgentID: "team/bot", CredentialID: "key-1", PrincipalID: "alice", Rule: schema.RunExplicit,
		StartedAt: at.UnixNano(), LastAt: at.UnixNano(), Calls: uint64(n / 10)})
	touches.AppendValue(schema.Touch{Tenant: "default", Actor: call.ActorHash, Resource: order, RunID: long, Effect: call.Effect,
		First: call.Start, Last: call.Start})
	insertRows(t, c, []clickhouse.Rows{calls, runs, touches})
	const day, short = 86_400, "reinterpretAsUUID(toUInt128(intDiv(number, 10) + 1))"
	sql(t, c, fmt.Sprintf(`INSERT INTO {db}.calls_v5 SELECT c.* REPLACE (if(number %% 10 = 0, c.run_id, %s) AS run_id,
 number AS source_offset, number AS calls_offset, c.start_time + toIntervalSecond(intDiv(number, 10) * %d %% (90 * %d)) AS start_time,
 if(number %% 5 = 1, concat('/r', toString(number), '/{id}'), c.route) AS route) FROM {db}.calls_v5 AS c, numbers(1, %d) AS n`,
		short, max(90*day*10/n, 1), day, n-1))
	sql(t, c, fmt.Sprintf(`INSERT INTO {db}.runs_v5 SELECT c.* REPLACE (reinterpretAsUUID(toUInt128(number + 1)) AS run_id,
 c.started_at + toIntervalSecond(number * %d %% (90 * %d)) AS started_at, started_at AS last_at, toDate(started_at) AS opened_day,
 concat('run-', toString(number)) AS run_key, 9 AS calls) FROM {db}.runs_v5 AS c, numbers(%d) AS n`, max(90*day*10/n, 1), day, n/10))
	sql(t, c, fmt.Sprintf(`INSERT INTO {db}.touches_v5 SELECT c.* REPLACE (reinterpretAsUUID(toUInt128(number + 1)) AS run_id)
 FROM {db}.touches_v5 AS c, numbers(%d) AS n`, n/10))
	insert(t, c)
	return long
}

// One agent has nearly all calls, a run of a million calls, a route for each of a million, and a resource that all its runs touch.
// Every question about it ends within the bounds of a statement and says what it left out.
func TestAgentMakesQuestionsWithoutABound(t *testing.T) {
	c := migrated(t)
	n := hostileCalls(t)
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	long := insertHostile(t, c, n, begin)
	year := query.Window{Since: begin, Until: begin.AddDate(1, 0, 0)}
	ctx := t.Context()
	run, err := query.ResolveRun(ctx, c, long.String())
	if err != nil {
		t.Fatal(err)
	}
	touched := func(kind, value string, run *query.Run, win query.Window) func() (int, string, error) {
		return func() (int, string, error) {
			r, err := query.TouchedBy(ctx, c, query.Subject{Kind: kind, Value: value}, run, win)
			if err != nil {
				return 0, "", err
			}
			return len(r.Resources), strings.Join(r.Caveats, "; "), nil
		}
	}
	next := func(cursor string) string {
		if cursor == "" {
			return ""
		}
		return "a cursor"
	}
	for _, q := range []struct {
		name string
		ask  func() (rows int, caveats string, err error)
		says string // what a complete answer must not leave out
	}{
		{"touched by the agent in a year", touched("agent", "team/bot", nil, year), "more_rows"},
		{"touched by the principal in a year", touched("principal", "alice", nil, year), "more_rows"},
		{"touched by the credential", touched("credential", "key-1", nil, query.Window{}), "more_rows"},
		{"who touched the resource", touched("resource", "order:1", nil, year), "runs"},
		{"touched by the long run", touched("run", long.String(), &run, query.Window{}), "more_runs"},
		{"run in full", func() (int, string, error) {
			r, err := query.RunInFull(ctx, c, run, 1000)
			if err != nil {
				return 0, "", err
			}
			return len(r.CallList), strings.Join(r.Caveats, "; "), nil
		}, "calls_limited"},
		{"runs of the agent", func() (int, string, error) {
			r, err := query.Runs(ctx, c, query.RunFilter{Agent: "team/bot", Limit: 1000})
			return len(r), "", err
		}, ""},
		{"find the host", func() (int, string, error) {
			p, err := query.FindPage(ctx, c, "api.internal", 1000, "")
			return len(p.Rows), next(p.Next), err
		}, "a cursor"},
		{"find the trace", func() (int, string, error) {
			p, err := query.FindPage(ctx, c, "07000000000000000000000000000000", 1000, "")
			return len(p.Rows), next(p.Next), err
		}, "a cursor"},
		{"routes of a year", func() (int, string, error) {
			p, err := query.RoutesPage(ctx, c, year, 1000, "")
			return len(p.Rows), next(p.Next), err
		}, "a cursor"},
		{"agents of a year", func() (int, string, error) {
			a, err := query.Agents(ctx, c, year.Since, year.Until)
			return len(a), "", err
		}, ""},
		{"coverage of a year", func() (int, string, error) {
			v, err := query.ReadCoverage(ctx, c, year.Since, year.Until)
			return len(v.Rows), "", err
		}, ""},
	} {
		asked := time.Now()
		rows, caveats, err := q.ask()
		took := time.Since(asked).Round(time.Millisecond)
		var bound *query.Exceeded
		switch {
		case errors.As(err, &bound):
			fmt.Printf("%-36s %8v  ends by %s\n", q.name, took, bound.Bound)
		case err != nil:
			t.Errorf("%s: %v", q.name, err)
		case q.says != "" && !strings.Contains(caveats, q.says):
			t.Errorf("%s: %d rows, and nothing says that there is more: %q", q.name, rows, caveats)
		default:
			names := strings.Split(caveats, "; ")
			for i := range names {
				names[i], _, _ = strings.Cut(names[i], ":")
			}
			slices.Sort(names)
			fmt.Printf("%-36s %8v  %d rows %.80s\n", q.name, took, rows, strings.Join(slices.Compact(names), ", "))
		}
		// Every statement of a question has a minute; the longest question has ten of them.
		if most := 10 * query.DefaultBounds.Time; took > most {
			t.Errorf("%s took %v, more than %v", q.name, took, most)
		}
	}
}
