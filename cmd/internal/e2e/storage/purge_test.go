package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

const purged = "kim'\\@corp.test" // a name may have every character

func purgeOf(c *clickhouse.Conn, t *testing.T) clickhouse.PurgeOptions {
	return clickhouse.PurgeOptions{Target: target(c), Tenant: "default", Principal: purged}
}

// left returns the number of rows of the database that name the principal as such.
func left(t *testing.T, c *clickhouse.Conn) (n uint64) {
	t.Helper()
	plan := purgeOf(c, t)
	plan.Plan = true
	tables, err := clickhouse.Purge(t.Context(), c, plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range tables {
		n += s.Rows
		if s.Removed != 0 {
			t.Errorf("a plan removed %d rows of %s", s.Removed, s.Table)
		}
	}
	return n
}

func TestPurgeLeavesRowsOrTakesThoseOfOthers(t *testing.T) {
	c := migrated(t)
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	p := stitch.NewPartition(0, stitch.DefaultLimits())
	own := heldCalls(purged, "bot", at, 0, 20)
	own[7].PrincipalID = "" // of an observer that does not know it
	insertStitched(t, c, p, own)
	mixed := heldCalls("lee@corp.test", "shared", at, 0, 10)
	mixed[3].PrincipalID = purged // one call in the run of another
	insertStitched(t, c, p, mixed)
	other := heldCalls("lee@corp.test", "other", at, 0, 10)
	other[0].Resources = []schema.Resource{{Type: "user", ID: purged}} // others acted on it
	other[1].Path = "/v1/users/" + strings.ToUpper(url.QueryEscape(purged)) + "/orders"
	other[2].ErrorMessage = "no user " + purged
	other[3].Attrs = []schema.Attr{{Key: "on_behalf", Value: "<" + purged + ">"}}
	insertStitched(t, c, p, other)
	run, err := query.ResolveRun(t.Context(), c, "bot")
	if err != nil {
		t.Fatal(err)
	}
	insertJudgement(t, c, run.RunID, "f_own", at)
	otherRun, err := query.ResolveRun(t.Context(), c, "other")
	if err != nil {
		t.Fatal(err)
	}
	insertJudgement(t, c, otherRun.RunID, "f_other", at)
	audit := clickhouse.AuditTable.NewBlock()
	audit.AppendValue(schema.AuditEntry{Seq: 1, Tenant: "default", Subject: "principal:" + purged, By: "ada", Hash: "x"})
	breakers := clickhouse.BreakersTable.NewBlock()
	breakers.AppendValue(schema.Breaker{Tenant: "default", Scope: schema.Scope{Kind: schema.ScopePrincipal, Value: purged}, Generation: 1})
	insert(t, c, audit, breakers)
	insertHold(t, c, run.RunID, 5, false)
	now := at
	look(t, keeper(t, c, &now))

	before := left(t, c)
	if again := left(t, c); before == 0 || again != before {
		t.Fatalf("a plan counts %d rows, and then %d", before, again)
	}

	// Killed in the middle: after the calls are gone, the runs are still there to begin again with.
	stopped, stop := context.WithCancel(t.Context())
	o := purgeOf(c, t)
	o.Step = func(table string) {
		if table == "call_ids" || table == "postings" {
			stop()
		}
	}
	if _, err := clickhouse.Purge(stopped, c, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("a purge that was stopped: %v", err)
	}
	stop()
	if n := left(t, c); n == 0 || n >= before {
		t.Errorf("%d of %d rows are left after the interruption", n, before)
	}
	tables, err := clickhouse.Purge(t.Context(), c, purgeOf(c, t))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range tables {
		if s.Left != 0 || s.Removed != s.Rows {
			t.Errorf("%+v", s)
		}
	}
	if n := left(t, c); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	for what, want := range map[string]string{
		"SELECT count() FROM {db}.calls":                                                        "19", // 9 of the shared run, 10 of the other
		"SELECT count() FROM {db}.held_calls":                                                   "0",
		"SELECT count() FROM {db}.held_runs_store":                                              "0",
		"SELECT groupArray(run_key) FROM (SELECT run_key FROM {db}.runs ORDER BY run_key)":      "['other','shared']",
		"SELECT uniqExact(resource) FROM {db}.touches WHERE run_id = '" + run.RunID + "'":       "0",
		"SELECT count() FROM {db}.touches":                                                      "19",
		"SELECT groupArray(finding_id) FROM {db}.findings":                                      "['f_other']",
		"SELECT count() FROM {db}.scores":                                                       "1",
		"SELECT count() FROM {db}.breakers":                                                     "0",
		"SELECT count() FROM {db}.postings WHERE kind = 'agent_id' AND value = 'ops/bot'":       "0",
		"SELECT count() > 0 FROM {db}.postings WHERE kind = 'agent_id' AND value = 'ops/other'": "true",
		"SELECT count() FROM {db}.audit":                                                        "1",
	} {
		if got := sql(t, c, what); got != want && !(want == "true" && got == "1") {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	found, err := clickhouse.FindMentions(t.Context(), c, purgeOf(c, t), tables, time.Minute)
	if err != nil || len(found.NotSearched) != 0 {
		t.Fatalf("%v, not searched: %v", err, found)
	}
	got := map[string]string{}
	for _, m := range found.List {
		got[m.Table] = fmt.Sprint(m.Rows, m.Columns, m.Examples)
	}
	want := map[string]string{"audit_store": "1 map[subject:1] [1]", "touches_v5": "1 map[resource:1] [" + otherRun.RunID + "]",
		"calls_v5": "4 map[attrs:1 error_message:1 path:1 resources:1] [" + otherRun.RunID + "]"}
	if !maps.Equal(got, want) {
		t.Errorf("the name occurs in %v\nwant %v", got, want)
	}
	if none, err := clickhouse.FindMentions(t.Context(), c, purgeOf(c, t), tables, 0); err != nil || len(none.List) != 0 ||
		len(none.NotSearched) < 20 {
		t.Errorf("a search without time: %v, %+v", err, none)
	}

	// New records of the name are of a new principal.
	insertStitched(t, c, p, heldCalls(purged, "later", at.Add(time.Hour), 100, 3))
	set, err := query.TouchedBy(t.Context(), c, query.Subject{Kind: "principal", Value: purged}, nil, query.Window{})
	if err != nil || set.Calls != 3 {
		t.Errorf("the purged principal in new records: %v, %d calls", err, set.Calls)
	}
}

func TestPurgeTakesWhatAHoldKeeps(t *testing.T) {
	c := migrated(t)
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	p := stitch.NewPartition(0, stitch.DefaultLimits())
	insertStitched(t, c, p, heldCalls(purged, "bot", at, 0, 20))
	run, err := query.ResolveRun(t.Context(), c, "bot")
	if err != nil {
		t.Fatal(err)
	}
	insertHold(t, c, run.RunID, 5, false)
	now := at
	look(t, keeper(t, c, &now))
	held, err := query.HeldRunsOfPrincipal(t.Context(), c, "default", purged)
	if err != nil || !held[run.RunID] || len(held) != 1 {
		t.Fatalf("held runs of the principal: %v, %v", err, held)
	}
	want, _, _ := seen(t, c, "bot")
	o := purgeOf(c, t)
	o.KeepHolds = true
	tables, err := clickhouse.Purge(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range tables {
		if s.Held && (s.Removed != 0 || s.Left != s.Rows) || !s.Held && s.Left != 0 {
			t.Errorf("%+v", s)
		}
	}
	if got, _, from := seen(t, c, "bot"); from == nil || got != want {
		t.Errorf("the held run after the purge, from %+v:\n%s\nbefore:\n%s", from, got, want)
	}
	if _, err := clickhouse.Purge(t.Context(), c, purgeOf(c, t)); err != nil {
		t.Fatal(err)
	}
	if n := left(t, c); n != 0 {
		t.Errorf("%d rows are left without the hold", n)
	}
}

// Scores are about all calls of a run, also about those of the principals that stay.
func TestRunOfSeveralPrincipalsLosesItsScoresSilently(t *testing.T) {
	c := migrated(t)
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	p := stitch.NewPartition(0, stitch.DefaultLimits())
	calls := heldCalls(purged, "bot", at, 0, 10)
	calls[7].PrincipalID = "lee@corp.test"
	insertStitched(t, c, p, calls)
	insertStitched(t, c, p, heldCalls(purged, "alone", at, 0, 5))
	run, err := query.ResolveRun(t.Context(), c, "bot")
	if err != nil {
		t.Fatal(err)
	}
	insertJudgement(t, c, run.RunID, "f_shared", at)
	runs, n, err := clickhouse.SharedRuns(t.Context(), c, purgeOf(c, t), 20)
	if err != nil || n != 1 || len(runs) != 1 || runs[0] != run.RunID {
		t.Fatalf("shared runs: %v, %d, %v", runs, n, err)
	}
	if _, err := clickhouse.Purge(t.Context(), c, purgeOf(c, t)); err != nil {
		t.Fatal(err)
	}
	if got := sql(t, c, "SELECT (SELECT count() FROM {db}.scores), (SELECT groupArray(principal_id) FROM {db}.calls)"); got !=
		"0\t['lee@corp.test']" {
		t.Errorf("scores, and principals of the calls that are left: %s", got)
	}
}
