package storage

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"flyball/dashboards/plugin"
	"flyball/detect/backtest"
	"flyball/detect/learn"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// Of four days that questionDays stores, each has this many granules of calls; one agent has one or two of them.
const (
	questionDay    = 5
	questionAgents = 100
)

var questionEnd = time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)

// questionDays stores 160,000 calls of four days until questionEnd: of a hundred agents, each with one credential and one address, in runs
// of eight calls. Five agents act for one person, 32 calls touch one resource, and four have one trace. A run in 200 has a level.
func questionDays(t *testing.T, c *clickhouse.Conn) {
	const agent = "concat('team/agent-', toString(intDiv(number, 8) % 100))"
	const key, actor = "toString(intDiv(number, 8))", "toUInt32(xxHash64(" + agent + "))"
	const run = "reinterpretAsUUID(sipHash128(intDiv(number, 8)))"
	const at = "toDateTime64('2026-03-01 00:00:00', 9, 'UTC') + toIntervalMillisecond(number * 2160)"
	sql(t, c, `INSERT INTO {db}.calls_v5 (tenant, actor_hash, run_id, start_time, source_topic, source_offset, agent_id, agent_trust,
credential_id, principal_id, client_ip, host, trace_id, request_text, method, route, path, effect, reversibility, resources, outcome,
observer_kind, counted, run_rule, run_confidence) SELECT 'default', `+actor+`, `+run+`, `+at+`, 'gw', number, `+agent+`, 'infrastructure',
concat('key-', toString(intDiv(number, 8) % 100)), concat('person-', toString(intDiv(number, 8) % 20)),
concat('10.0.0.', toString(intDiv(number, 8) % 100)), concat('api-', toString(number % 3)),
reinterpretAsFixedString(sipHash128(intDiv(number, 4))), concat('request-', toString(number)), if(number % 8 = 7, 'DELETE', 'GET'),
'/orders/{id}', concat('/orders/', toString(number % 5000)), if(number % 8 = 7, 'delete', 'read'),
if(number % 8 = 7, 'irreversible', 'read_only'), [concat('order:', toString(number % 5000))], 'ok', 'gateway', true, 'explicit', 95
FROM numbers(160000)`)
	sql(t, c, `INSERT INTO {db}.runs_v5 (tenant, actor_hash, opened_day, run_id, actor, run_key, version, started_at, last_at, calls,
agent_id, agent_trust, credential_id, principal_id, state, level) SELECT 'default', `+actor+`, toDate(`+at+`), `+run+`, `+agent+`, `+key+`,
8, `+at+`, `+at+` + toIntervalSecond(15), 8, `+agent+`, 'infrastructure', concat('key-', toString(intDiv(number, 8) % 100)),
concat('person-', toString(intDiv(number, 8) % 20)), 'closed', if(number % 1600 = 0, 'alert', 'none') FROM numbers(160000)
WHERE number % 8 = 0`)
	sql(t, c, `INSERT INTO {db}.touches_v5 (tenant, resource, actor_hash, run_id, effect, first_at, last_at) SELECT 'default',
concat('order:', toString(number % 5000)), `+actor+`, `+run+`, if(number % 8 = 7, 'delete', 'read'), `+at+`, `+at+` FROM numbers(160000)`)
	insert(t, c)
	for _, table := range []string{"calls_v5", "runs_v5", "touches_v5", "call_ids", "postings", "minutes", "hours"} {
		sql(t, c, "OPTIMIZE TABLE {db}."+table+" FINAL")
	}
}

// asking is one question and what one of its statements may read of the calls, in granules of 20.
type asking struct {
	name  string
	calls int
	ask   func() error
}

func TestQuestionReadsWhatItIsNotAboutOrHasNoBound(t *testing.T) {
	stored := migrated(t)
	questionDays(t, stored)
	w, c := watch(t, stored)
	ctx := t.Context()
	run := sql(t, stored, "SELECT toString(run_id) FROM {db}.runs_v5 WHERE run_key = '12345'")
	trace := sql(t, stored, "SELECT trace_id FROM {db}.calls WHERE run_id = '"+run+"' LIMIT 1")
	day := query.Window{Since: questionEnd.Add(-24 * time.Hour), Until: questionEnd}
	six := query.Window{Since: questionEnd.Add(-6 * time.Hour), Until: questionEnd}
	var all []asking
	add := func(name string, calls int, ask func() error) { all = append(all, asking{name, calls, ask}) }
	const (
		oneRun, agentDay, oneDay, agentAll, everything = 2, 3, questionDay + 1, 9, 4 * questionDay
	)
	touched := func(kind, value string, win query.Window) func() error {
		return func() error {
			r, err := query.TouchedBy(ctx, c, query.Subject{Kind: kind, Value: value}, nil, win)
			if err == nil && r.Calls == 0 {
				err = fmt.Errorf("no calls")
			}
			return err
		}
	}
	find := func(term string) func() error {
		return func() error {
			p, err := query.FindPage(ctx, c, term, 20, "")
			if err == nil && len(p.Rows) == 0 {
				err = fmt.Errorf("nothing found")
			}
			return err
		}
	}
	described := func(ask func(r query.Run) error) func() error {
		return func() error {
			r, err := query.ResolveRun(ctx, c, run)
			if err == nil {
				err = ask(r)
			}
			return err
		}
	}
	add("runs of 6 h", 0, func() error {
		_, err := query.RunsPage(ctx, c, query.RunFilter{Since: six.Since, Limit: 20})
		return err
	})
	add("runs of an agent", 0, func() error {
		_, err := query.RunsPage(ctx, c, query.RunFilter{Agent: "team/agent-45", Since: day.Since, Limit: 20})
		return err
	})
	add("run by its id", 0, described(func(query.Run) error { return nil }))
	add("run by its key", 0, func() error { _, err := query.ResolveRun(ctx, c, "12345"); return err })
	add("run by the start of its id", 0, func() error { _, err := query.ResolveRun(ctx, c, run[:8]); return err })
	add("run in full", agentDay, described(func(r query.Run) error { _, err := query.RunInFull(ctx, c, r, 100); return err }))
	add("touched by a run", agentDay, described(func(r query.Run) error {
		_, err := query.TouchedBy(ctx, c, query.Subject{Kind: "run", Value: run}, &r, query.Window{})
		return err
	}))
	add("touched by an agent, 24 h", agentDay, touched("agent", "team/agent-45", day))
	add("touched by a credential, 24 h", agentDay, touched("credential", "key-45", day))
	add("touched by a principal, 24 h", oneDay, touched("principal", "person-5", day))
	add("touched by a principal", everything, touched("principal", "person-5", query.Window{}))
	add("who touched a resource", everything, touched("resource", "order:77", query.Window{}))
	add("who touched a resource, 24 h", oneDay, touched("resource", "order:77", day))
	add("find an agent", 0, find("team/agent-45"))
	add("find a credential", 0, find("key-45"))
	add("find a principal", 0, find("person-5"))
	add("find an address", agentAll, find("10.0.0.45"))
	add("find a request id", oneRun, find("request-98765"))
	add("find a trace", oneRun, find(trace))
	add("find a host", everything, find("api-1"))
	add("find a resource", everything, find("order:77"))
	add("agents, 24 h", oneDay, func() error { _, err := query.Agents(ctx, c, day.Since, day.Until); return err })
	add("routes, 24 h", oneDay, func() error { _, err := query.RoutesPage(ctx, c, day, 20, ""); return err })
	add("start-here, 24 h", oneDay, func() error { _, err := query.StartHere(ctx, c, day.Since, day.Until, 20); return err })
	add("hygiene, 24 h", oneDay, func() error { _, err := query.HygieneFindings(ctx, c, day.Since, day.Until); return err })
	add("coverage, 24 h", oneDay, func() error { _, err := query.ReadCoverage(ctx, c, day.Since, day.Until); return err })
	add("usage of an agent, 24 h", agentDay, func() error {
		_, err := query.Usage(ctx, c, query.Caller{Agent: "team/agent-45"}, day.Since, day.Until)
		return err
	})
	add("stitching", 0, func() error { _, err := query.Stitching(ctx, c, day.Since, day.Until, "day"); return err })
	add("findings", 0, func() error {
		_, err := query.FindingsPage(ctx, c, query.FindingFilter{Since: day.Since, Limit: 20})
		return err
	})
	add("history of breakers", 0, func() error {
		_, err := query.BreakerHistory(ctx, c, query.BreakerFilter{Since: day.Since, Until: day.Until, Limit: 20})
		return err
	})
	add("rates of findings", 0, func() error { _, err := query.AchievedRates(ctx, c, day.Since, day.Until); return err })
	all = append(all, grafanaAskings(t, w, c, run)...)
	for _, q := range all {
		w.take()
		if err := q.ask(); err != nil {
			t.Errorf("%s: %v", q.name, err)
		}
		asked := w.take()
		reads := mostOf(asked)
		t.Logf("%-34s %2d statements, at most %s", q.name, len(asked), listed(reads))
		if len(asked) == 0 {
			t.Errorf("%s: no statement was sent", q.name)
		}
		if reads["calls_v5"] > q.calls {
			t.Errorf("%s reads %d of 20 granules of calls, at most %d", q.name, reads["calls_v5"], q.calls)
		}
		for _, s := range asked {
			if s.time == "" || s.memory == "" {
				t.Errorf("%s: a statement has the limits %q s and %q bytes\n%.300s", q.name, s.time, s.memory, s.sql)
			}
		}
	}
}

// grafanaAskings are the queries of Grafana's panels about six hours, or about one run.
func grafanaAskings(t *testing.T, w *watched, c *clickhouse.Conn, run string) (out []asking) {
	settings, err := json.Marshal(map[string]string{"addr": w.addr, "database": c.Database()})
	if err != nil {
		t.Fatal(err)
	}
	instance, err := plugin.New(t.Context(), backend.DataSourceInstanceSettings{Name: "t", UID: "t", JSONData: settings})
	if err != nil {
		t.Fatal(err)
	}
	source := instance.(*plugin.Datasource)
	t.Cleanup(source.Dispose)
	asked := map[string]bool{}
	add := func(calls int, q plugin.Query) {
		name := strings.Join(strings.Fields(fmt.Sprint("grafana ", q.Type, " ", q.Sort, " ", q.By, " ", q.Of, " ", q.State, " ", q.Agent)), " ")
		asked[q.Type] = true
		out = append(out, asking{name, calls, func() error {
			text, err := json.Marshal(&q)
			if err != nil {
				return err
			}
			got, err := source.QueryData(t.Context(), &backend.QueryDataRequest{Queries: []backend.DataQuery{{RefID: "A", JSON: text,
				Interval: time.Minute, TimeRange: backend.TimeRange{From: questionEnd.Add(-6 * time.Hour), To: questionEnd}}}})
			if err != nil {
				return err
			}
			return got.Responses["A"].Error
		}})
	}
	const agent, oneDay, agentDay = "team/agent-45", questionDay + 1, 3
	for _, q := range []plugin.Query{{Type: "findings", State: "open"}, {Type: "held"}, {Type: "breakers"},
		{Type: "breakers", State: "trips"}, {Type: "gates"}, {Type: "agents"}, {Type: "agents", Agent: agent},
		{Type: "score", Run: run}, {Type: "calls", By: "outcome"},
		{Type: "count", Of: "calls"}, {Type: "count", Of: "irreversible", By: "agent"}, {Type: "count", Of: "findings", By: "level"},
		{Type: "health"}, {Type: "quality"}, {Type: "annotations"}, {Type: "variable", Of: "agents"}, {Type: "variable", Of: "runs"},
		{Type: "variable", Of: "resources"}} {
		add(0, q)
	}
	for _, q := range []plugin.Query{{Type: "runs", Agent: agent}, {Type: "calls", By: "reversibility", Agent: agent},
		{Type: "logs", Agent: agent}, {Type: "logs", Run: run},
		{Type: "routes", Agent: agent}, {Type: "routes", Run: run}, {Type: "trace", Run: run}, {Type: "touched", Run: run},
		{Type: "touched_graph", Run: run}} {
		add(agentDay, q)
	}
	for _, q := range []plugin.Query{{Type: "runs"}, {Type: "runs", Sort: "latest"}, {Type: "resource", Resource: "order:77"},
		{Type: "distribution", Of: "calls", Agent: agent},
		{Type: "distribution", Of: "errors"}, {Type: "sql", SQL: "SELECT count() FROM calls WHERE $__timeFilter(start_time)"}} {
		add(oneDay, q)
	}
	for _, kind := range plugin.Types {
		if !asked[kind] {
			t.Errorf("no query of type %s is asked", kind)
		}
	}
	return out
}

// What learning and backtests read has limits, too: other ones, since it may take minutes and gives way to all others.
func TestLearningReadsWithoutABound(t *testing.T) {
	stored := migrated(t)
	now := mixedHistory(t, stored, 0)
	w, c := watch(t, stored)
	w.plain = true
	body := learnedBaseline(t, c, now, 0)
	if len(w.asked) == 0 {
		t.Fatal("no statement was sent")
	}
	window := learn.Window{Tenant: "default", Since: now.AddDate(0, 0, -30), Until: now, CallsPerRun: 500}
	if _, err := backtest.Run(t.Context(), c, body, backtest.Options{Window: window, Present: backtest.Configuration{
		AgentInfo: func(string) ([]string, string) { return nil, "" }, TripShare: .001}}); err != nil {
		t.Error(err)
	}
	for _, s := range w.take() {
		if s.memory == "" || s.time == "" {
			t.Errorf("a statement has the limits %q s and %q bytes\n%.300s", s.time, s.memory, s.sql)
		}
	}
}
