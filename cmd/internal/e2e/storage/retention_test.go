package storage

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// keptForEver are the tables whose rows never expire.
var keptForEver = []string{"audit_store", "baseline_orders_store", "baselines_store", "breakers_store", "gates_store",
	"held_calls_store", "held_decisions_store", "held_findings_store", "held_runs_store", "held_scores_store", "held_touches_store",
	"holds_store", "migrations", "progress", "verdict_history_store", "verdicts_store"}

// ttls returns the tables with a TTL and the number of days, and those without.
func ttls(t testing.TB, c *clickhouse.Conn) (with map[string]string, without []string) {
	t.Helper()
	with = map[string]string{}
	for line := range strings.SplitSeq(sql(t, c, `SELECT name, extract(engine_full, ' TTL .*toIntervalDay\\((\\d+)\\)') FROM system.tables
WHERE database = '{db}' AND engine LIKE '%MergeTree' ORDER BY name`), "\n") {
		name, days, _ := strings.Cut(line, "\t")
		name = strings.TrimSuffix(name, "_local")
		if days == "" {
			without = append(without, name)
		} else {
			with[name] = days
		}
	}
	return with, without
}

// The configured number of days applies at the next start: to a new database, one of an earlier version and one that has
// another number.
func TestConfiguredRetentionIsNotThatOfTheTables(t *testing.T) {
	for _, version := range []string{"", "4"} {
		t.Run("after version "+version, func(t *testing.T) {
			c := connect(t)
			if version != "" {
				c = released(t, version)
			}
			days := clickhouse.Retention{Calls: 90, Runs: 400}
			o := clickhouse.MigrateOptions{Retention: &days}
			migrateTo(t, c, o)
			for _, days = range []clickhouse.Retention{{Calls: 90, Runs: 400}, {Calls: 30, Runs: 400}, {Calls: 30}, {}, {Calls: 7, Runs: 8}} {
				plan := o
				plan.Plan = true
				planned, steps := migrateTo(t, c, plan), migrateTo(t, c, o)
				if !slices.Equal(planned, steps) {
					t.Errorf("%+v: planned %v, took %v", days, planned, steps)
				}
				for _, s := range steps {
					if !strings.Contains(s, ".retention: kept for") {
						t.Errorf("%+v: step %s", days, s)
					}
				}
				if again := migrateTo(t, c, o); len(again) != 0 {
					t.Errorf("%+v: the second run took %v", days, again)
				}
				if asIs := migrate(t, c, false); len(asIs) != 0 {
					t.Errorf("%+v: a run that does not name it took %v", days, asIs)
				}
				with, without := ttls(t, c)
				if got := cmpDays(with["calls_v5"]) + " " + cmpDays(with["runs_v5"]); got != fmt.Sprint(days.Calls, " ", days.Runs) {
					t.Errorf("%+v: calls and runs are kept for %s days", days, got)
				}
				if days.Calls > 0 && days.Runs > 0 && !slices.Equal(without, keptForEver) {
					t.Errorf("%+v: for ever are kept %v", days, without)
				}
				if old := cmpDays(with["calls_store"]); version != "" && old != fmt.Sprint(days.Calls) {
					t.Errorf("%+v: calls of version %s are kept for %s days", days, version, old)
				}
			}
		})
	}
}

func cmpDays(s string) string {
	if s == "" {
		return "0"
	}
	return s
}

// insertEverywhere inserts a row of a time into each table that expires, and into some that do not.
func insertEverywhere(t testing.TB, c *clickhouse.Conn, at time.Time, n byte) {
	t.Helper()
	ns, day, id := at.UnixNano(), schema.DayOf(at.UnixNano()), fmt.Sprint("f_", n)
	h := history{calls: []schema.Call{{Tenant: "t", Start: ns, RunID: schema.RunID{n},
		Resources: []schema.Resource{{Type: "order", ID: "1"}}}}}
	postings, ids := clickhouse.PostingsTable.NewBlock(), clickhouse.CallIDsTable.NewBlock()
	postings.AppendValue(schema.Posting{Tenant: "t", Value: id, Day: day})
	ids.AppendValue(schema.CallID{Tenant: "t", ID: uint32(n), Day: day})
	minutes, hours := clickhouse.MinutesTable.NewBlock(), clickhouse.HoursTable.NewBlock()
	minutes.AppendValue(schema.MinuteCount{Tenant: "t", Minute: ns})
	hours.AppendValue(schema.HourCount{Tenant: "t", Hour: ns})
	findings, decisions := clickhouse.FindingsTable.NewBlock(), clickhouse.DecisionsTable.NewBlock()
	breakers := clickhouse.BreakersTable.NewBlock()
	findings.AppendValue(schema.Finding{Tenant: "t", ID: id, UpdatedAt: ns})
	decisions.AppendValue(schema.Decision{Tenant: "t", ID: id, At: ns})
	breakers.AppendValue(schema.Breaker{Tenant: "t", Generation: uint64(n), Since: ns})
	scores, letters, losses := clickhouse.ScoresTable.NewBlock(), clickhouse.DeadLettersTable.NewBlock(), clickhouse.LogLossesTable.NewBlock()
	scores.AppendValue(schema.Score{Tenant: "t", RunID: schema.RunID{n}, At: ns})
	letters.AppendValue(clickhouse.DeadLetter{At: ns, Offset: int64(n)})
	losses.AppendValue(schema.LogLoss{Topic: id, NoticedAt: ns})
	insertRows(t, c, append(h.of5(0, 1), postings, ids, minutes, hours, findings, decisions, breakers, scores, letters, losses))
}

// Rows expire by their time, those that are within the retention stay, and what is in force or is evidence stays for ever.
func TestExpiredRowsAreKeptOrOthersExpire(t *testing.T) {
	c := connect(t)
	days := clickhouse.Retention{Calls: 10, Runs: 20}
	long := time.Now().Add(-200 * 24 * time.Hour)
	migrateTo(t, c, clickhouse.MigrateOptions{Retention: &days, Now: long}) // the database is that old
	insertEverywhere(t, c, long, 1)
	insertEverywhere(t, c, time.Now().Add(-15*24*time.Hour), 2) // too old for calls, not for runs
	insertEverywhere(t, c, time.Now().Add(-time.Hour), 3)
	want := map[string]int{"calls_v5": 1, "touches_v5": 1, "postings": 2, "call_ids": 1, "runs_v5": 2, "minutes": 2, "hours": 2,
		"stitching_v5": 2, "scores_store": 2, "findings_store": 2, "decisions_store": 2, "dead_letters_store": 2, "log_losses_store": 2,
		"breakers_store": 3}
	rowsAre(t, c, want)

	// A changed retention counts at the earliest from the first migration, whose record has the time of the server.
	days = clickhouse.Retention{Calls: 10, Runs: 10}
	migrateTo(t, c, clickhouse.MigrateOptions{Retention: &days, Now: long})
	for _, table := range []string{"runs_v5", "minutes"} {
		if got := sql(t, c, "SELECT engine_full LIKE '%toDate(''"+time.Now().UTC().Format(time.DateOnly)+"''))%' FROM system.tables WHERE "+
			"database = '{db}' AND name = '"+stored(table)+"'"); got != "1" {
			t.Errorf("%s does not count from the first migration", table)
		}
	}
}

// A run whose calls have expired is found by the names of its caller until it expires itself: postings select runs. They expired with the
// calls.
func TestRunOutlivesThePostingsThatSelectIt(t *testing.T) {
	c := connect(t)
	days := clickhouse.Retention{Calls: 10, Runs: 20}
	long := time.Now().Add(-200 * 24 * time.Hour)
	migrateTo(t, c, clickhouse.MigrateOptions{Retention: &days, Now: long})
	at := time.Now().Add(-15 * 24 * time.Hour).UnixNano() // too old for calls, not for runs
	actor := schema.HashActor("actor")
	run := schema.RunSnapshot{RunID: schema.RunID{1}, OpenedDay: schema.DayOf(at), Tenant: "default", RunKey: "key", Actor: "actor",
		AgentID: "team/archivist", CredentialID: "key:9", PrincipalID: "user:ana", StartedAt: at, LastAt: at, Calls: 1}
	insertRuns(t, c, agentRun{RunSnapshot: run})
	postings := clickhouse.PostingsTable.NewBlock()
	names := map[schema.PostingKind]string{schema.PostingAgent: run.AgentID, schema.PostingCredential: run.CredentialID,
		schema.PostingPrincipal: run.PrincipalID}
	for kind, name := range names {
		postings.AppendValue(schema.Posting{Tenant: "default", Kind: kind, Value: name, Day: schema.DayOf(at), Actor: actor})
	}
	insertRows(t, c, []clickhouse.Rows{postings})
	// A part with rows of calls is dropped first.
	insertCalls(t, c, schema.Call{Tenant: "default", Start: at, RunID: run.RunID, AgentID: run.AgentID, ActorHash: actor})
	rowsAre(t, c, map[string]int{"calls_v5": 0, "runs_v5": 1})
	rowsAre(t, c, map[string]int{"postings": len(names)})

	for kind, name := range names {
		if hits, err := query.Find(t.Context(), c, name, 10); err != nil || len(hits) != 1 || hits[0].Field != kind.String() {
			t.Errorf("find %s: %+v, %v", name, hits, err)
		}
		near, err := query.NearTo(t.Context(), c, query.Subject{Value: name + "s"})
		if err != nil || len(near) != 1 || near[0].Value != name {
			t.Errorf("near %ss: %+v, %v", name, near, err)
		}
	}
	if runs, err := query.Runs(t.Context(), c, query.RunFilter{Agent: run.AgentID}); err != nil || len(runs) != 1 {
		t.Errorf("runs of the agent: %+v, %v", runs, err)
	}
}

// A database whose postings are kept as long as calls keeps them as long as runs from the next start on.
func TestPostingsOfADatabaseFromBeforeExpireWithCalls(t *testing.T) {
	c := connect(t)
	days := clickhouse.Retention{Calls: 10, Runs: 20}
	o := clickhouse.MigrateOptions{Retention: &days}
	migrateTo(t, c, o)
	sql(t, c, "ALTER TABLE {db}."+stored("postings")+" MODIFY TTL greatest(toDate(day), toDate('2026-01-01')) + toIntervalDay(10)")
	steps := migrateTo(t, c, o)
	if len(steps) != 1 || !strings.Contains(steps[0], "postings.retention: kept for 20 days, before for 10 days") {
		t.Errorf("took %q", steps)
	}
	if with, _ := ttls(t, c); with["postings"] != "20" {
		t.Errorf("postings are kept for %s days", with["postings"])
	}
}

// rowsAre waits until tables have so many rows: parts are dropped in the background.
func rowsAre(t testing.TB, c *clickhouse.Conn, want map[string]int) {
	t.Helper()
	for table, n := range want {
		var got string
		end := time.Now().Add(30 * time.Second)
		for got = "?"; got != fmt.Sprint(n) && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			sql(t, c, "OPTIMIZE TABLE {db}."+table)
			got = sql(t, c, "SELECT count() FROM {db}."+table)
		}
		if got != fmt.Sprint(n) {
			t.Errorf("%s has %s rows, want %d\n%s", table, got, n, sql(t, c, "SELECT name, rows, delete_ttl_info_max FROM system.parts "+
				"WHERE active AND database = '{db}' AND table = '"+stored(table)+"'"))
		}
	}
}

// An upgrade, and a shorter retention, delete nothing that was stored before this version until it was the version for so long.
// Afterwards the tables of version 4 are emptied without a word of their old parts being written anew, and dropped.
func TestUpgradeDeletesWhatIsOlderThanTheRetention(t *testing.T) {
	h := newHistory() // of March 2026
	c := released(t, "4")
	insertRows(t, c, h.of4(0, len(h.calls)))
	before := answers(t, c)
	days := clickhouse.Retention{Calls: 1, Runs: 2}
	o := clickhouse.MigrateOptions{Retention: &days}
	migrateTo(t, c, o)
	days = clickhouse.Retention{Calls: 1, Runs: 1}
	migrateTo(t, c, o)
	until(t, "the new times of expiry", func() bool {
		return sql(t, c, "SELECT count() FROM system.mutations WHERE database = '{db}' AND NOT is_done") == "0"
	})
	for _, table := range strings.Fields(tablesOf(t, c)) {
		if parts := sql(t, c, "SELECT min(delete_ttl_info_max) > now() FROM system.parts WHERE active AND rows > 0 AND "+
			"database = '{db}' AND table = '"+stored(table)+"'"); parts != "1" {
			t.Errorf("parts of %s never expire, or at once: %s", table, parts)
		}
		sql(t, c, "OPTIMIZE TABLE {db}."+table+" FINAL")
	}
	compareAnswers(t, "after the upgrade", answers(t, c), before)

	// The same with an upgrade that was long ago.
	c = released(t, "4")
	insertRows(t, c, h.of4(0, len(h.calls)))
	o.Now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	migrateTo(t, c, o)
	rowsAre(t, c, map[string]int{"calls_store": 0, "runs_store": 0, "touches_store": 0, "trace_calls": 0, "stitching_store": 0})
	o.Now = time.Now().Add(8 * 24 * time.Hour)
	if migrateTo(t, c, o); tablesOf(t, c) != "" {
		t.Errorf("left: %s", tablesOf(t, c))
	}
}

// A batch of a backlog with the end of a day makes two parts of calls. In the format Wide each takes 600 MB of the engine.
func TestInsertAroundMidnightExceedsTheMemoryOfAStatement(t *testing.T) {
	c := migrated(t)
	sql(t, c, "INSERT INTO {db}.calls_v5 (tenant, actor_hash, run_id, start_time, source_offset) SELECT 'default', number % 500, "+
		"reinterpretAsUUID(sipHash128(number % 5000)), toDateTime64('2026-03-01 00:00:00', 9, 'UTC') + toIntervalDay(number % 2), number "+
		"FROM numbers(200000) SETTINGS max_memory_usage = 500000000")
	if got := sql(t, c, "SELECT count() FROM {db}.calls"); got != "200000" {
		t.Errorf("%s rows", got)
	}
}

// A report on a time whose calls have expired says so, and one on a later time does not.
func TestReportOnExpiredCallsIsComplete(t *testing.T) {
	c := connect(t)
	days := clickhouse.Retention{Calls: 10, Runs: 20}
	migrateTo(t, c, clickhouse.MigrateOptions{Retention: &days, Now: time.Now().Add(-200 * 24 * time.Hour)})
	today := time.Now().UTC().Truncate(24 * time.Hour)
	calls, runs, err := query.KeptSince(t.Context(), c)
	if err != nil || !calls.Equal(today.AddDate(0, 0, -9)) || !runs.Equal(today.AddDate(0, 0, -19)) {
		t.Errorf("calls are kept since %s, runs since %s, %v", calls, runs, err)
	}
	insertCalls(t, c, schema.Call{Tenant: "default", Start: time.Now().Add(-time.Hour).UnixNano(), AgentID: "team/bot",
		RunID: schema.RunID{1}})
	for since, expired := range map[time.Time]bool{today.AddDate(0, 0, -10): true, today.AddDate(0, 0, -9): false, {}: false} {
		report, err := query.TouchedBy(t.Context(), c, query.Subject{Kind: "agent", Value: "team/bot"}, nil, query.Window{Since: since})
		if err != nil {
			t.Fatal(err)
		}
		if report.Calls != 1 || hasCaveat(report, "expired") != expired || expired && report.Complete {
			t.Errorf("since %s: %d calls, caveats %q", since, report.Calls, report.Caveats)
		}
	}
	// A run that began before is incomplete without a window, too.
	run := query.Run{RunID: schema.RunID{1}.String(), Tenant: "default", StartedAt: query.Time{Time: today.AddDate(0, 0, -15)}}
	report, err := query.TouchedBy(t.Context(), c, query.Subject{Kind: "run", Value: run.RunID}, &run, query.Window{})
	if err != nil || !hasCaveat(report, "expired") {
		t.Errorf("caveats %q, %v", report.Caveats, err)
	}

	// Nothing has expired of a database that is younger than its retention.
	c = connect(t)
	migrateTo(t, c, clickhouse.MigrateOptions{Retention: &days})
	if calls, runs, err := query.KeptSince(t.Context(), c); err != nil || !calls.IsZero() || !runs.IsZero() {
		t.Errorf("calls are kept since %s, runs since %s, %v", calls, runs, err)
	}
}

// Tables that take more bytes than they may keep fewer days of calls, and of nothing else; what they take is counted by day.
func TestBoundInBytesReachesOtherTables(t *testing.T) {
	c := connect(t)
	days := clickhouse.Retention{Calls: 90, Runs: 400}
	o := clickhouse.MigrateOptions{Retention: &days}
	migrateTo(t, c, o)
	today := time.Now().UTC().Truncate(24 * time.Hour)
	for back := range 3 {
		at := today.AddDate(0, 0, -back).Add(time.Second)
		insertEverywhere(t, c, at, byte(back+1))
	}
	sizes, err := clickhouse.SizeOfCalls(t.Context(), c, target(c))
	if err != nil || len(sizes) != 3 || !sizes[0].Day.Equal(today) || sizes[2].Bytes == 0 {
		t.Fatalf("%+v, %v", sizes, err)
	}
	want := clickhouse.DaysWithin(sizes, clickhouse.Total(sizes)*8/10, today, 90)
	if want != 2 {
		t.Fatalf("%d days of %+v", want, sizes)
	}
	for range 2 { // again changes nothing
		if err := clickhouse.KeepCalls(t.Context(), c, target(c), want); err != nil {
			t.Fatal(err)
		}
	}
	with, without := ttls(t, c)
	for table, want := range map[string]string{"calls_v5": "2", "touches_v5": "2", "call_ids": "2", "runs_v5": "400", "postings": "400",
		"findings_store": "400"} {
		if with[table] != want {
			t.Errorf("%s is kept for %s days, want %s", table, with[table], want)
		}
	}
	if !slices.Equal(without, keptForEver) {
		t.Errorf("for ever are kept %v", without)
	}
	if live, err := clickhouse.LiveRetention(t.Context(), c, target(c)); err != nil || live != (clickhouse.Retention{Calls: 2, Runs: 400}) {
		t.Errorf("%+v, %v", live, err)
	}
}
