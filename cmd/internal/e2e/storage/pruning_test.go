package storage

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"flyball/schema/clickhouse"
)

// granulesOf matches what a statement reads of a table.
var granulesOf = regexp.MustCompile(`ReadFromMergeTree \(\w+\.(\w+)\)(?:\n[^\n]*?)*?Granules: (\d+)`)

// reads returns how many granules a statement reads of each table.
func reads(t testing.TB, c *clickhouse.Conn, q string) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, m := range granulesOf.FindAllStringSubmatch(sql(t, c, "EXPLAIN indexes = 1 "+q), -1) {
		n, _ := strconv.Atoi(m[2])
		out[strings.TrimSuffix(m[1], "_local")] += n
	}
	return out
}

// insertDays inserts 4 days of 5 granules of calls each, of 100 actors with runs of 40 calls, and their runs and touches.
func insertDays(t testing.TB, c *clickhouse.Conn, calls, runs, touches string) {
	t.Helper()
	actor := func(table, expression string) (name, value string) {
		if !strings.HasSuffix(table, "_v5") {
			return "", ""
		}
		return "actor_hash, ", "toUInt32(xxHash64(" + expression + ")), "
	}
	const agent = "concat('agent-', toString(intDiv(number, 40) % 100))"
	name, value := actor(calls, agent)
	sql(t, c, "INSERT INTO {db}."+calls+" (tenant, "+name+"run_id, start_time, source_topic, source_offset, agent_id) SELECT 'default', "+
		value+"reinterpretAsUUID(sipHash128(intDiv(number, 40))), toDateTime64('2026-03-01 00:00:00', 9, 'UTC') + "+
		"toIntervalMillisecond(number * 2160), 't', number, "+agent+" FROM numbers(160000)")
	name, value = actor(runs, agent)
	day := ""
	if name != "" {
		day, value = "opened_day, ", value+"toDate('2026-03-01') + intDiv(number, 40000), "
	}
	sql(t, c, "INSERT INTO {db}."+runs+" (tenant, "+name+day+"run_id, actor, version, started_at, last_at, calls) SELECT 'default', "+value+
		"reinterpretAsUUID(sipHash128(intDiv(number, 40))), "+agent+", 80, toDateTime64('2026-03-01 00:00:00', 9, 'UTC') + "+
		"toIntervalMillisecond(number * 2160), toDateTime64('2026-03-01 00:00:00', 9, 'UTC') + toIntervalMillisecond(number * 2160), 40 "+
		"FROM numbers(160000) WHERE number % 40 = 0")
	name, value = actor(touches, agent)
	sql(t, c, "INSERT INTO {db}."+touches+" (tenant, resource, "+name+"run_id, effect, first_at, last_at) SELECT 'default', "+
		"concat('order:', toString(number % 5000)), "+value+"reinterpretAsUUID(sipHash128(intDiv(number, 40))), 'read', "+
		"toDateTime64('2026-03-01 00:00:00', 9, 'UTC'), toDateTime64('2026-03-02 00:00:00', 9, 'UTC') FROM numbers(100000)")
}

// A condition on the actor, the run, the time or the resource reaches the index of each table below a view, whether the view
// reads one table or those of version 4, too.
func TestConditionDoesNotReachTheIndexBelowTheView(t *testing.T) {
	for _, version := range []string{"", "4"} {
		t.Run("after version "+version, func(t *testing.T) {
			c := migrated(t)
			if version != "" {
				c = released(t, version)
				migrate(t, c, false)
				insertDays(t, c, "calls_store", "runs_store", "touches_store")
			}
			insertDays(t, c, "calls_v5", "runs_v5", "touches_v5")
			run := strings.Split(sql(t, c, "SELECT run_id, actor_hash FROM {db}.calls_v5 WHERE source_offset = 100000"), "\t")
			for _, q := range []struct {
				text  string
				limit map[string]int
			}{
				{"calls WHERE actor_hash IN (0, " + run[1] + ") AND run_id = '" + run[0] + "'", map[string]int{"calls_v5": 1, "calls_store": 1}},
				{"calls WHERE tenant = 'default' AND actor_hash IN (0, " + run[1] + ") AND run_id IN ('" + run[0] + "')",
					map[string]int{"calls_v5": 1, "calls_store": 1}},
				{"calls WHERE run_id = '" + run[0] + "'", map[string]int{"calls_v5": 2, "calls_store": 2}},
				{"calls WHERE actor_hash = " + run[1], map[string]int{"calls_v5": 8, "calls_store": 20}},
				{"calls WHERE actor_hash = " + run[1] + " AND toDate(start_time) = '2026-03-03'", map[string]int{"calls_v5": 2, "calls_store": 20}},
				{"calls WHERE start_time >= '2026-03-03 04:00:00' AND start_time < '2026-03-03 08:00:00'",
					map[string]int{"calls_v5": 5, "calls_store": 20}},
				{"calls WHERE start_time >= '2026-03-02 22:00:00' AND start_time < '2026-03-03 08:00:00' AND actor_hash = " + run[1],
					map[string]int{"calls_v5": 4, "calls_store": 20}},
				{"calls WHERE start_time < '2026-01-01 00:00:00'", map[string]int{}},
				{"runs WHERE run_id = '" + run[0] + "'", map[string]int{"runs_v5": 1, "runs_store": 1}},
				{"runs WHERE actor_hash = " + run[1] + " AND run_id = '" + run[0] + "'", map[string]int{"runs_v5": 1, "runs_store": 1}},
				{"touches WHERE resource = 'order:77'", map[string]int{"touches_v5": 1, "touches_store": 1}},
				{"touches WHERE tenant = 'default' AND startsWith(resource, 'order:77')", map[string]int{"touches_v5": 1, "touches_store": 1}},
			} {
				got := reads(t, c, "SELECT * FROM {db}."+q.text)
				for table, n := range got {
					if n > q.limit[table] {
						t.Errorf("%s reads %d granules of %s, want at most %d\n%s", q.text, n, table, q.limit[table],
							sql(t, c, "EXPLAIN indexes = 1 SELECT * FROM {db}."+q.text))
					}
				}
				if len(q.limit) > 0 && got[strings.Fields(q.text)[0]+"_v5"] == 0 {
					t.Errorf("%s reads %v", q.text, got)
				}
			}
		})
	}
}

// Of the versions of a row only the newest is an answer, also where a condition is true of an older one and an index leaves the
// newest out of what is read.
func TestConditionFindsAnOlderVersionOfARow(t *testing.T) {
	c := migrated(t)
	insertDays(t, c, "calls_v5", "runs_v5", "touches_v5")
	const key = "SELECT tenant, actor_hash, run_id, start_time, source_topic, source_offset, agent_id, "
	into := "INSERT INTO {db}.calls_v5 (tenant, actor_hash, run_id, start_time, source_topic, source_offset, agent_id, counted, status) "
	sql(t, c, "OPTIMIZE TABLE {db}.calls_v5 FINAL")
	sql(t, c, into+key+"NOT counted, 404 FROM {db}.calls_v5 WHERE source_offset = 70000")
	if got := sql(t, c, "SELECT counted, status FROM {db}.calls WHERE source_offset = 70000"); got != "false\t404" {
		t.Fatalf("the newest version is %s", got)
	}
	run := sql(t, c, "SELECT run_id FROM {db}.calls WHERE source_offset = 70000")
	for _, condition := range []string{"counted AND source_offset = 70000", "status = 0 AND source_offset = 70000",
		"run_id = '" + run + "' AND counted AND source_offset = 70000",
		"toDate(start_time) = '2026-03-02' AND status = 0 AND source_offset = 70000"} {
		if got := sql(t, c, "SELECT count() FROM {db}.calls WHERE "+condition); got != "0" {
			t.Errorf("%s finds %s older versions", condition, got)
		}
	}
	// A run goes on: its last call moves from one day to the next one.
	sql(t, c, "INSERT INTO {db}.runs_v5 (tenant, actor_hash, opened_day, run_id, actor, version, started_at, last_at, calls, state) "+
		"SELECT tenant, actor_hash, opened_day, run_id, actor, 160, started_at, last_at + toIntervalDay(9), 80, 'closed' FROM {db}.runs_v5 "+
		"WHERE run_id = '"+run+"'")
	for condition, want := range map[string]string{
		"last_at < '2026-03-05 00:00:00'": "", "calls = 40": "", "state = 'open'": "",
		"last_at >= '2026-03-10 00:00:00'": "80\tclosed", "started_at < '2026-03-03 00:00:00'": "80\tclosed",
	} {
		if got := sql(t, c, fmt.Sprintf("SELECT calls, state FROM {db}.runs WHERE run_id = '%s' AND %s", run, condition)); got != want {
			t.Errorf("%s: %q, want %q", condition, got, want)
		}
	}
}
