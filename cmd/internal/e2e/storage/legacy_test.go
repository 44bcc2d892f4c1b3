package storage

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
)

// released makes a database as an earlier version made it: with its tables and views, and the record of its steps.
func released(t testing.TB, version string) *clickhouse.Conn {
	t.Helper()
	c := connect(t)
	makeReleased(t, c, filepath.Join(releases(), version))
	return c
}

// makeReleased executes the SQL in a folder. Tables are made before views, which read them.
func makeReleased(t testing.TB, c *clickhouse.Conn, dir string) {
	t.Helper()
	var tables, views []string
	files, err := filepath.Glob(filepath.Join(dir, "*.sql"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for st := range strings.SplitSeq(inForm(string(text)), ";\n") {
			switch {
			case strings.HasPrefix(st, "CREATE DATABASE"):
				sql(t, c, st)
			case strings.HasPrefix(st, "CREATE OR REPLACE VIEW"):
				views = append(views, st)
			case st != "":
				tables = append(tables, st)
			}
		}
	}
	for _, st := range append(tables, views...) {
		sql(t, c, st)
	}
	// Each object is recorded in the form of the release.
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".sql")
		sql(t, c, "INSERT INTO {db}.migrations (version, number, name, sum, why) SELECT 1, 1, '"+name+"', 'of the release', 'new'")
	}
}

// history is what version 4 and version 5 write for some calls of two runs.
type history struct{ calls []schema.Call }

func newHistory() history {
	g := newGateway(3, 7, true)
	h := history{calls: make([]schema.Call, 60)}
	for i := range h.calls {
		g.next(&h.calls[i])
		h.calls[i].Pos.Item, h.calls[i].CallsOffset = uint32(i), int64(i/10)
		h.calls[i].ActorHash = schema.HashActor(h.calls[i].RoutingKey)
		h.calls[i].Start += int64(i) * int64(20*time.Minute) // the calls are on two days
	}
	return h
}

// of returns the rows of calls in the tables of version 4.
func (h history) of4(from, to int) []clickhouse.Rows {
	calls, traces, touches := clickhouse.LegacyCallsTable.NewBlock(), clickhouse.LegacyTraceCallsTable.NewBlock(),
		clickhouse.LegacyTouchesTable.NewBlock()
	runs, counts := clickhouse.LegacyRunsTable.NewBlock(), clickhouse.LegacyStitchingTable.NewBlock()
	for i := from; i < to; i++ {
		c := h.calls[i]
		calls.Append(&c)
		traces.Append(&c)
		touches.AppendValue(touchOf(&c))
		runs.AppendValue(snapshotOf(&c, i))
		n := countOf(&c)
		n.From, n.To = c.CallsOffset, c.CallsOffset
		counts.AppendValue(n)
	}
	return []clickhouse.Rows{calls, traces, touches, runs, counts}
}

// of5 returns the rows of calls in the tables of version 5. Runs that version 4 opened keep their place.
func (h history) of5(from, to int) []clickhouse.Rows {
	calls, touches := clickhouse.CallsTable.NewBlock(), clickhouse.TouchesTable.NewBlock()
	runs, old, counts := clickhouse.RunsTable.NewBlock(), clickhouse.LegacyRunsTable.NewBlock(), clickhouse.StitchingTable.NewBlock()
	for i := from; i < to; i++ {
		c := h.calls[i]
		calls.Append(&c)
		touch := touchOf(&c)
		touch.Actor = c.ActorHash
		touches.AppendValue(touch)
		s := snapshotOf(&c, i)
		if slices.ContainsFunc(h.calls[:from], func(o schema.Call) bool { return o.RunID == c.RunID }) {
			old.AppendValue(s)
		} else {
			s.OpenedDay = schema.DayOf(c.Start)
			runs.AppendValue(s)
		}
		counts.AppendValue(countOf(&c))
	}
	return []clickhouse.Rows{calls, touches, runs, old, counts}
}

func snapshotOf(c *schema.Call, i int) schema.RunSnapshot {
	return schema.RunSnapshot{RunID: c.RunID, Version: uint64(2 * (i + 1)), Tenant: c.Tenant, Actor: c.RoutingKey, RunKey: c.RunKey,
		AgentID: c.AgentID, Rule: c.RunRule, State: schema.RunOpen, TraceID: c.TraceID, StartedAt: c.Start, LastAt: c.Start, Calls: uint64(i + 1)}
}

func countOf(c *schema.Call) schema.StitchingCount {
	return schema.StitchingCount{Tenant: c.Tenant, Hour: c.Start - c.Start%int64(time.Hour), Producer: c.Observer, Format: c.Format,
		Rule: c.RunRule, CallsPart: c.CallsPart, Segment: c.CallsOffset, Calls: uint64(1 + c.Pos.Item%3)}
}

func insertRows(t testing.TB, c *clickhouse.Conn, blocks []clickhouse.Rows) {
	t.Helper()
	for _, b := range blocks {
		if err := c.Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
}

// answers are what the views say, without the columns that version 4 did not have.
func answers(t testing.TB, c *clickhouse.Conn) map[string]string {
	t.Helper()
	out := map[string]string{}
	for view, by := range map[string]string{"calls": "source_offset, item", "runs": "run_id", "touches": "resource, run_id, effect",
		"stitching": "hour, producer, format, run_rule"} {
		columns := sql(t, c, "SELECT arrayStringConcat(arraySort(groupArray(name)), ', ') FROM system.columns "+
			"WHERE database = '{db}' AND table = '"+view+"' AND name != 'actor_hash'")
		out[view] = sql(t, c, "SELECT "+columns+" FROM {db}."+view+" ORDER BY "+by)
	}
	return out
}

func compareAnswers(t *testing.T, when string, got, want map[string]string) {
	t.Helper()
	for view := range want {
		if got[view] != want[view] {
			t.Errorf("%s, the view %s answers\n%.2000s\nwant\n%.2000s", when, view, got[view], want[view])
		}
		if want[view] == "" {
			t.Errorf("%s, the view %s is empty", when, view)
		}
	}
}

// What version 4 stored is read from its own tables, beside what version 5 stores. A repeat of a row is in the table of
// the row, and changes nothing.
func TestRowsOfVersion4AreLostOrCountedTwiceAfterUpgrade(t *testing.T) {
	h := newHistory()
	const upgrade = 40
	want := released(t, "4")
	insertRows(t, want, h.of4(0, upgrade))
	before := answers(t, want)
	insertRows(t, want, h.of4(upgrade, len(h.calls)))
	after := answers(t, want)

	c := released(t, "4")
	insertRows(t, c, h.of4(0, upgrade))
	days := clickhouse.Retention{Calls: 90, Runs: 400}
	o := clickhouse.MigrateOptions{Retention: &days}
	migrateTo(t, c, o)
	compareAnswers(t, "after the migration", answers(t, c), before)
	insertRows(t, c, h.of4(20, upgrade)) // version 4 was killed before it noted that these are written
	compareAnswers(t, "after a repeat", answers(t, c), before)
	insertRows(t, c, h.of5(upgrade, len(h.calls)))
	compareAnswers(t, "with rows of version 5", answers(t, c), after)
	insertRows(t, c, h.of5(upgrade, len(h.calls)))
	compareAnswers(t, "after a repeat of version 5", answers(t, c), after)
	if again := migrateTo(t, c, o); len(again) != 0 {
		t.Errorf("the second run took %v", again)
	}
	for _, table := range []string{"calls_v5", "runs_v5", "touches_v5", "stitching_v5", "calls_store", "runs_store", "touches_store",
		"stitching_store"} {
		sql(t, c, "OPTIMIZE TABLE {db}."+table+" FINAL")
	}
	compareAnswers(t, "merged", answers(t, c), after)
}

// Columns of the two sides of a view are matched by their place, which older versions gave them.
func TestTablesOfAnOlderVersionHaveTheirColumnsElsewhere(t *testing.T) {
	h := newHistory()
	want := answersOf4(t, h)
	c := released(t, "4")
	if cluster != "" {
		t.Skip("SKIPPED: the order of columns is that of the parts of the tables, which is the same in a cluster")
	}
	for _, change := range []string{"runs_store MODIFY COLUMN calls UInt64 AFTER score", "calls_store MODIFY COLUMN status UInt16 AFTER attrs",
		"stitching_store MODIFY COLUMN calls UInt64 FIRST"} {
		sql(t, c, "ALTER TABLE {db}."+change)
	}
	insertRows(t, c, h.of4(0, len(h.calls)))
	migrate(t, c, false)
	compareAnswers(t, "with columns in another order", answers(t, c), want)
}

func answersOf4(t testing.TB, h history) map[string]string {
	t.Helper()
	c := released(t, "4")
	insertRows(t, c, h.of4(0, len(h.calls)))
	return answers(t, c)
}

func tablesOf(t testing.TB, c *clickhouse.Conn) string {
	t.Helper()
	return sql(t, c, "SELECT arrayStringConcat(arraySort(groupArray(name)), ' ') FROM system.tables WHERE database = '{db}' AND name IN "+
		"('calls_store', 'runs_store', 'touches_store', 'trace_calls', 'stitching_store')")
}

// Tables of version 4 that are empty are dropped a week after the upgrade, and not while one of them has a row. A row
// that arrives later makes its table again.
func TestEmptyTablesOfVersion4StayForEver(t *testing.T) {
	c := released(t, "4")
	days := clickhouse.Retention{Calls: 90, Runs: 400}
	o := clickhouse.MigrateOptions{Retention: &days}
	migrateTo(t, c, o)
	const all = "calls_store runs_store stitching_store touches_store trace_calls"
	if got := tablesOf(t, c); got != all {
		t.Fatalf("after the migration: %s", got)
	}
	h := newHistory()
	insertRows(t, c, h.of4(0, 5)[:1])
	o.Now = time.Now().Add(8 * 24 * time.Hour)
	if steps := migrateTo(t, c, o); len(steps) != 0 || tablesOf(t, c) != all {
		t.Fatalf("with a row: steps %v, tables %s", steps, tablesOf(t, c))
	}
	sql(t, c, "TRUNCATE TABLE {db}.calls_store SYNC")
	o.Now = time.Now().Add(6 * 24 * time.Hour)
	if steps := migrateTo(t, c, o); len(steps) != 0 {
		t.Fatalf("within a week: %v", steps)
	}
	o.Now = time.Now().Add(8 * 24 * time.Hour)
	plan := o
	plan.Plan = true
	planned := migrateTo(t, c, plan)
	steps := strings.Join(migrateTo(t, c, o), ", ")
	if steps != strings.Join(planned, ", ") || !strings.Contains(steps, "101 calls: changed") ||
		!strings.Contains(steps, "001 calls_store: expired") {
		t.Errorf("steps %s, planned %s", steps, planned)
	}
	if got := tablesOf(t, c); got != "" {
		t.Fatalf("left: %s", got)
	}
	if again := migrateTo(t, c, o); len(again) != 0 {
		t.Fatalf("the second run took %v", again)
	}
	if found, err := clickhouse.FindDamage(t.Context(), c, target(c), nil); err != nil || len(found) != 0 {
		t.Fatalf("damage %v, %v", found, err)
	}

	insertRows(t, c, h.of5(0, 5))
	before := sql(t, c, "SELECT count() FROM {db}.runs")
	make := clickhouse.MigrateOptions{Retention: &days, Make: "runs_store"}
	if steps := migrateTo(t, c, make); !slices.Contains(steps, "002 runs_store: new") || !slices.Contains(steps, "102 runs: changed") {
		t.Errorf("a row arrived: %v", steps)
	}
	late := clickhouse.LegacyRunsTable.NewBlock()
	late.AppendValue(snapshotOf(&h.calls[0], 0))
	late.AppendValue(schema.RunSnapshot{RunID: schema.RunID{9}, Tenant: "default", Version: 2, LastAt: 1e18})
	insertRows(t, c, []clickhouse.Rows{late})
	if got := sql(t, c, "SELECT count() FROM {db}.runs"); got != before && got == "" || tablesOf(t, c) != "runs_store" {
		t.Errorf("%s runs, before %s; tables %s", got, before, tablesOf(t, c))
	}
	if got := sql(t, c, "SELECT count() FROM {db}.runs WHERE run_id = '"+(schema.RunID{9}).String()+"'"); got != "1" {
		t.Errorf("the run of version 4 is there %s times", got)
	}
	if again := migrateTo(t, c, clickhouse.MigrateOptions{Retention: &days}); len(again) != 0 {
		t.Fatalf("the run after that took %v", again)
	}
}

// A table of version 4 that is gone and was not dropped is damage, and is made again.
func TestLostTableOfVersion4IsTakenForADroppedOne(t *testing.T) {
	c := released(t, "4")
	migrate(t, c, false)
	sql(t, c, "DROP TABLE {db}.touches_store SYNC")
	found, err := clickhouse.FindDamage(t.Context(), c, target(c), nil)
	if err != nil || fmt.Sprint(len(found)) != "1" || found[0].Table != "touches_store" || !found[0].Missing {
		t.Fatalf("damage %v, %v", found, err)
	}
	migrate(t, c, false)
	if got := sql(t, c, "SELECT count() FROM {db}.touches"); got != "0" {
		t.Errorf("%s touches", got)
	}
}
