package storage

import (
	"fmt"
	"testing"
	"time"

	"flyball/detect/journal"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/wire"
)

// A block is stored in pieces, so that the engine has the parts of few partitions in its memory at a time.
func TestPieceOfABlockIsAsLargeAsTheBlock(t *testing.T) {
	c := migrated(t)
	sql(t, c, "SYSTEM STOP MERGES {db}."+stored("calls_v5"))
	b := clickhouse.CallsTable.NewBlock()
	for i := range 100 {
		b.AppendValue(schema.Call{Tenant: "default", Start: int64(i + 1), RunID: schema.RunID{1}})
	}
	if err := c.InsertPieces(t.Context(), "calls_v5", 30, b.AppendNative(nil)); err != nil {
		t.Fatal(err)
	}
	if got := sql(t, c, "SELECT sum(rows), max(rows), count() FROM system.parts WHERE active AND database = '{db}' AND table = '"+
		stored("calls_v5")+"'"); got != "100\t30\t4" {
		t.Errorf("rows, rows of the largest part, parts: %s", got)
	}
}

// arrive stores what detect writes of calls that arrive in Kafka at a time, as one journal record.
func arrive(t testing.TB, c *clickhouse.Conn, at time.Time, calls []schema.Call) {
	t.Helper()
	w := journal.New(0)
	for i := range calls {
		v := &calls[i]
		v.Tenant, v.KafkaTime, v.ActorHash, v.Pos = "default", at.UnixNano(), schema.HashActor(""), schema.Position{Offset: int64(i)}
		w.Add(v, &schema.RunSnapshot{RunID: v.RunID, Tenant: v.Tenant, OpenedDay: schema.FiledDay(v.Start, v.KafkaTime)})
	}
	w.Covered(0)
	j, err := wire.DecodeJournal(w.Cut(callsTopic))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range j.Sections {
		if err := c.InsertNative(t.Context(), s.Table, s.Native); err != nil {
			t.Fatal(err)
		}
	}
}

// old returns calls of as many days, of which the last one ends long before a time.
func old(days int, before time.Time) []schema.Call {
	out := make([]schema.Call, days)
	for i := range out {
		start := before.AddDate(0, 0, -10-i).UnixNano()
		out[i] = schema.Call{Start: start, RunID: schema.RunID{byte(i), byte(i >> 8), 1}, TraceID: [16]byte{byte(i), byte(i >> 8), 2},
			AgentID: "team/bot", Resources: []schema.Resource{{Type: "order", ID: fmt.Sprint(i)}}}
	}
	return out
}

// A log of years that arrives at once, or a caller who chooses the times of its calls, makes a part of each day: an insert of 3,000 days
// exceeds the memory of a statement, and the store repeats it without an end.
func TestLogOfYearsMakesAPartOfEachDay(t *testing.T) {
	c := migrated(t)
	at := time.Date(2026, 3, 20, 12, 0, 0, 0, time.UTC)
	calls := old(700, at)
	today := schema.Call{Start: at.Add(-time.Minute).UnixNano(), RunID: schema.RunID{9, 9, 9}}
	calls = append(calls, today)
	arrive(t, c, at, calls)
	for _, table := range []string{"calls_v5", "runs_v5", "call_ids"} {
		if got := sql(t, c, "SELECT uniqExact(partition) <= 2 FROM system.parts WHERE active AND database = '{db}' AND table = '"+stored(table)+
			"'"); got != "1" {
			t.Errorf("%s has many partitions", table)
		}
	}
	arrive(t, c, at, calls) // a repeat is in the partition of the row
	if got := sql(t, c, "SELECT count(), uniqExact(record_id) FROM {db}.calls"); got != "701\t701" {
		t.Errorf("calls, record ids: %s", got)
	}
	day := at.AddDate(0, 0, -300).Format(time.DateOnly)
	for _, condition := range []string{"toDate(start_time) = '" + day + "'",
		"start_time >= '" + day + " 00:00:00' AND start_time < '" + day + " 23:00:00'"} {
		if got := sql(t, c, "SELECT count() FROM {db}.calls WHERE "+condition); got != "1" {
			t.Errorf("%s calls with %s", got, condition)
		}
	}
	// Old calls do not make a question about an ordinary day read more, or the other way round.
	for condition, want := range map[string]int{"toDate(start_time) = '2026-03-20'": 1, "toDate(start_time) = '" + day + "'": 1,
		"toDate(start_time) = '2026-03-19'": 0} {
		if got := reads(t, c, "SELECT * FROM {db}.calls WHERE "+condition); got["calls_v5"] > want*2 { // a part and its repeat
			t.Errorf("%s reads %v", condition, got)
		}
	}
}

// A call that has just arrived is kept for the whole retention, whatever its log says about its time.
func TestCallWithAWrongClockIsDeletedAtOnce(t *testing.T) {
	c := connect(t)
	days := clickhouse.Retention{Calls: 10, Runs: 20}
	long := time.Now().Add(-200 * 24 * time.Hour)
	migrateTo(t, c, clickhouse.MigrateOptions{Retention: &days, Now: long})
	arrive(t, c, long.Add(time.Hour), old(3, long)) // these have expired
	wrong := old(2, time.Now().AddDate(0, 0, -100))
	wrong[0].Start = 1
	arrive(t, c, time.Now(), wrong)
	rowsAre(t, c, map[string]int{"calls_v5": 2, "touches_v5": 2, "call_ids": 2})
	for _, table := range []string{"calls_v5", "touches_v5", "call_ids", "postings", "runs_v5"} {
		got := sql(t, c, "SELECT min(delete_ttl_info_max) > now() + INTERVAL 8 DAY FROM system.parts WHERE active AND rows > 0 AND "+
			"database = '{db}' AND table = '"+stored(table)+"'")
		if table != "runs_v5" && table != "postings" && got != "1" {
			t.Errorf("%s expires early", table)
		}
	}
}

// A file that does not name the retention leaves a longer one as it is, and a shorter one, too.
func TestFileWithoutARetentionShortensTheLiveOne(t *testing.T) {
	c := connect(t)
	long, defaults := clickhouse.Retention{Calls: 1000}, clickhouse.Retention{Calls: 90, Runs: 400}
	migrateTo(t, c, clickhouse.MigrateOptions{Retention: &long})
	o := clickhouse.MigrateOptions{Retention: &defaults, Unset: clickhouse.UnsetRetention{Calls: true, Runs: true}}
	if steps := migrateTo(t, c, o); len(steps) != 0 {
		t.Errorf("took %v", steps)
	}
	if kept, err := clickhouse.LiveRetention(t.Context(), c, target(c)); err != nil || kept != long {
		t.Errorf("kept for %+v, %v", kept, err)
	}
	defaults.Runs, o.Unset.Runs = 2000, false // one of both is set
	if steps := migrateTo(t, c, o); len(steps) == 0 {
		t.Error("a number that is set changes nothing")
	}
	if kept, err := clickhouse.LiveRetention(t.Context(), c, target(c)); err != nil || kept.Calls != 1000 || kept.Runs != 2000 {
		t.Errorf("kept for %+v, %v", kept, err)
	}
	c = connect(t)
	o.Unset.Runs = true
	migrateTo(t, c, o)
	if kept, err := clickhouse.LiveRetention(t.Context(), c, target(c)); err != nil || kept != *o.Retention {
		t.Errorf("a new database keeps for %+v, %v", kept, err)
	}
}
