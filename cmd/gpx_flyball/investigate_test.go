package main

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"flyball/dashboards/plugin"
	"flyball/detect/enforce/breaker"
	"flyball/schema"
	"flyball/schema/clickhouse"
)

// worstFirst are the states of health in the order of a table.
var worstFirst = []string{"look", "unknown", "ok"}

// What a person looks at after a finding: the line of the score, the log, the marks of trips and baselines, and what can be chosen.
func TestInvestigationOfARunIsEmpty(t *testing.T) {
	s := newStore(t)
	run := s.deletes("acme", "team/a", 1, schema.LevelTrip, ok, ok, denied)
	s.deletes("rival", "team/b", 2, schema.LevelNone, ok)
	s.finding("acme", "team/a", run, schema.LevelTrip, schema.FamilyLoop, "deletes order after order")
	scores, baselines, letters := clickhouse.ScoresTable.NewBlock(), clickhouse.BaselinesTable.NewBlock(),
		clickhouse.DeadLettersTable.NewBlock()
	for i, v := range []float64{2.5, 7.25} {
		scores.AppendValue(schema.Score{Tenant: "acme", RunID: run, At: s.at.Add(time.Duration(i) * time.Second).UnixNano(), Value: v,
			Level: schema.LevelTrip, Call: schema.CallRef{Offset: int64(i)}, Top: []schema.Contribution{{Feature: "errors"}}})
	}
	baselines.AppendValue(schema.BaselineRow{Tenant: "acme", Agent: "team/a", MadeAt: s.at.UnixNano(), Version: "v7"})
	letters.AppendValue(clickhouse.DeadLetter{At: s.at.UnixNano(), Reason: "no_json", SourceTopic: "edge"})
	l := &breakerLog{State: breaker.New(breaker.DefaultBudget()), at: s.at}
	l.apply(time.Second, trip(1, "team/a", schema.ModeArmed, time.Hour))
	b := clickhouse.BreakersTable.NewBlock()
	b.Append(&l.stored[0])
	s.insert(scores, baselines, letters, b)

	score := s.frames(plugin.Query{Type: "score", Run: "task-1"})
	same(t, "score", column(score[0], "score"), "2.5", "7.25")
	same(t, "contributions", column(score[1], "feature"), "calls that fail")
	if score[0].Fields[1].Labels["run"] != run.String() {
		t.Errorf("labels %v", score[0].Fields[1].Labels)
	}
	for _, q := range []plugin.Query{{Type: "logs", Run: "task-1"}, {Type: "logs", Agent: "team/a"}} {
		logs := s.frames(q)[0]
		body := []string{"DELETE /orders/2 → denied 403", "DELETE /orders/1 → ok 204", "DELETE /orders/0 → ok 204"}
		severity := []string{"warning", "error", "error"}
		if q.Run != "" { // the story of a run has what was found, too
			body, severity = append(body, "finding "+schema.FamilyLoop+" trip: deletes order after order"), append(severity, "critical")
		}
		same(t, "log", column(logs, "body"), body...)
		same(t, "severity", column(logs, "severity"), severity...)
	}
	marks := s.frames(plugin.Query{Type: "annotations"})[0]
	same(t, "marks", column(marks, "title"), "Trip: run "+run.String(), "New baseline")
	same(t, "marks of one kind", column(s.frames(plugin.Query{Type: "annotations", Kinds: "baseline"})[0], "text"), "version v7, 1 agents")
	for _, tc := range []struct {
		of, prefix, want string
	}{{"agents", "", "team/a|team/b"}, {"agents", "team/b", "team/b"}, {"resources", "order:2", "order:2"}, {"tenants", "", "acme|rival"},
		{"families", "", schema.FamilyLoop}, {"runs", "task-1", run.String()}, {"agents", "%", ""}} {
		got := column(s.frames(plugin.Query{Type: "variable", Of: tc.of, Prefix: tc.prefix})[0], "value")
		same(t, "choices of "+tc.of+" "+tc.prefix, got, strings.Split(tc.want, "|")...)
	}
	health := s.frames(plugin.Query{Type: "health"})[0]
	if text := strings.Join(column(health, "what"), "\n"); !strings.Contains(text, "edge that could not be read: no_json") ||
		!strings.Contains(text, "age of the newest stored call") {
		t.Errorf("health: %s", text)
	}
	states := column(health, "state")
	if !slices.IsSortedFunc(states, func(a, b string) int { return cmp.Compare(slices.Index(worstFirst, a), slices.Index(worstFirst, b)) }) ||
		states[0] != "look" || !slices.Contains(states, "ok") {
		t.Errorf("what needs a look is below the fold: %q", states)
	}
	same(t, "held", column(s.frames(plugin.Query{Type: "health", Part: "breakers"})[0], "value"), "1")
	quality := s.frames(plugin.Query{Type: "quality"})[0]
	same(t, "quality", column(quality, "findings"), "1")
	same(t, "per 1,000", column(quality, "achieved per 1,000"), "500")
}

// A statement of a person reads Flyball's views and nothing else, and changes nothing.
func TestStatementReadsOrChangesMore(t *testing.T) {
	s := newStore(t)
	s.deletes("acme", "team/a", 1, schema.LevelNone, ok, ok, denied)
	other := s.conn.Database() + "_other"
	s.run("CREATE DATABASE " + other)
	s.run("CREATE TABLE " + other + ".secrets (x String) ENGINE = Memory AS SELECT 'hunter2'")
	t.Cleanup(func() { s.run("DROP DATABASE " + other) })
	for sql, want := range map[string]string{
		"SELECT c.item IN c.items AS n FROM (SELECT 1 AS item, [1, 2] AS items) AS c":                "1",
		"SELECT toUInt64(getSetting('readonly')) AS n":                                               "1",
		"SELECT count() AS n FROM calls WHERE $__timeFilter(start_time)":                             "3",
		"SELECT sum(n) AS n FROM (SELECT count() AS n FROM " + s.conn.Database() + ".runs) -- end":   "1",
		"WITH c AS (SELECT * FROM calls) SELECT countIf(outcome = 'denied') AS n FROM c":             "1",
		"SELECT toStartOfInterval(start_time, $__interval) AS t, count() AS n FROM calls GROUP BY t": "3",
	} {
		r := s.ask("", plugin.Query{Type: "sql", SQL: sql})
		if r.Error != nil {
			t.Errorf("%s: %v", sql, r.Error)
			continue
		}
		same(t, sql, column(r.Frames[0], "n"), want)
	}
	for _, sql := range []string{"DROP TABLE calls", "INSERT INTO calls_v5 SELECT * FROM calls_v5", "SELECT * FROM system.users",
		"SELECT 1) UNION ALL SELECT * FROM (SELECT 1 FROM system.tables", "SELECT * FROM numbers(10)",
		"SELECT * FROM url('http://127.0.0.1/', CSV)",
		"SELECT file('/etc/passwd')", "SELECT 1 WHERE 1 IN system.one", "SELECT nothing FROM calls", "SELECT", "SELECT 1; DROP TABLE calls",
		"SELECT count() FROM calls SETTINGS max_execution_time = 1000", "SELECT * FROM other.calls", "SET readonly = 0",
		"SELECT * FROM merge('system', '.*')", "SELECT dictGet('x', 'y', 1)", "SELECT 'hunter2' IN " + other + ".secrets",
		"SELECT nullIn('hunter2', " + other + ".secrets)", "SELECT arrayMap(f -> f IN `" + other + "`.`secrets`, ['hunter2'])",
		"WITH " + other + ".secrets AS s SELECT 'hunter2' IN s", "SELECT hasColumnInTable('" + other + "', 'secrets', 'x')",
		"SELECT sleep(3)", "SELECT sleepEachRow(1) FROM calls", "SELECT FQDN()", "SELECT filesystemAvailable()",
		"SELECT catboostEvaluate('/etc/passwd', 1)", "SELECT currentProfiles()", "SELECT getClientHTTPHeader('X-ClickHouse-Key')"} {
		r := s.ask("", plugin.Query{Type: "sql", SQL: sql})
		if r.Error == nil || r.Status != backend.StatusBadRequest || !strings.HasPrefix(r.Error.Error(), "sql: ") {
			t.Errorf("%s: %v, status %d", sql, r.Error, r.Status)
		}
	}
	f := s.frames(plugin.Query{Type: "sql", SQL: "SELECT path FROM calls", Limit: 2})[0]
	if f.Rows() != 2 || len(f.Meta.Notices) != 1 {
		t.Errorf("more rows than the limit: %d rows, %v", f.Rows(), f.Meta.Notices)
	}
	same(t, "rows after all", column(s.frames(plugin.Query{Type: "count", Of: "calls"})[0], "calls"), "3")
}

func TestRouteThatAnAgentUsedIsNotShown(t *testing.T) {
	s := newStore(t)
	bad := s.deletes("acme", "team/bad", 1, schema.LevelTrip, ok, ok, denied)
	s.deletes("acme", "team/calm", 2, schema.LevelAlert, ok)
	for _, q := range []plugin.Query{{Agent: "team/bad"}, {Run: bad.String()}} {
		q.Type = "routes"
		f := s.frames(q)[0]
		same(t, "route", column(f, "route"), "DELETE /orders/{id}")
		same(t, "calls", column(f, "calls"), "3")
		same(t, "reversibility", column(f, "reversibility"), "irreversible")
		same(t, "resources", column(f, "resources"), "order")
	}
	if f := s.frames(plugin.Query{Type: "routes"})[0]; f.Rows() != 0 ||
		!strings.Contains(f.Meta.Notices[0].Text, "Neither an agent nor a run") {
		t.Errorf("of nobody: %v", f)
	}
}
