package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"flyball/schema/clickhouse"
)

// copyHistory stores every row of the history's days so often more, each time days earlier and with other ids of runs, traces and
// requests: a longer history of the same agents, principals, addresses and resources, in less time than the block writers take. Rows are
// copied day by day by the engine itself; the last days are those that the block writers stored. A day that has been copied is left out.
func copyHistory(ctx context.Context, conn *clickhouse.Conn, days, copies int) error {
	for n := 1; n <= copies; n++ {
		if err := copyDays(ctx, conn, days, n); err != nil {
			return err
		}
	}
	return nil
}

// copyDays makes the n-th copy.
func copyDays(ctx context.Context, conn *clickhouse.Conn, days, n int) error {
	other := fmt.Sprintf("toUInt128(%d) * toUInt128('210306068529402873165736369884012333109')", n) // bits of all bytes
	number := func(column string) string { return "bitXor(reinterpretAsUInt128(" + column + "), " + other + ")" }
	run := "reinterpretAsUUID(" + number("run_id") + ") AS run_id"
	key := fmt.Sprintf("if(run_key = '', '', concat(run_key, '-%d')) AS run_key", n)
	trace := "reinterpretAsFixedString(" + number("trace_id") + ") AS trace_id"
	request := "reinterpretAsUUID(" + number("request_uuid") + ") AS request_uuid"
	segment := fmt.Sprintf("segment + %d AS segment", n*1_000_000_000_000)
	back := days * n
	later := func(columns ...string) string {
		for i, c := range columns {
			columns[i] = fmt.Sprintf("%[1]s - INTERVAL %[2]d DAY AS %[1]s", c, back)
		}
		return strings.Join(columns, ", ")
	}
	replace := func(columns ...string) string { return "SELECT * REPLACE (" + strings.Join(columns, ", ") + ")" }
	for _, t := range []struct{ table, day, rows string }{
		{"calls_v5", "toDate(start_time)", replace(run, key, trace, request, segment, later("start_time"),
			fmt.Sprintf("calls_offset + %[1]d AS calls_offset, source_offset + %[1]d AS source_offset", n*1_000_000_000_000))},
		{"runs_v5", "opened_day", replace(run, key, trace, segment, later("started_at", "last_at", "opened_day"))},
		{"touches_v5", "toDate(first_at)", replace(run, later("first_at", "last_at", "filed_day"))},
		{"postings", "day", replace(later("day", "filed_day"))},
		{"hours", "toDate(hour)", replace(segment, later("hour"))},
		{"minutes", "toDate(minute)", replace(segment, later("minute"))},
		{"stitching_v5", "toDate(hour)", replace(segment, later("hour"))},
	} {
		list, err := conn.QueryText(ctx, fmt.Sprintf("SELECT %[1]s AS d FROM flyball.%[2]s WHERE d > "+
			"(SELECT max(%[1]s) FROM flyball.%[2]s) - %[3]d GROUP BY d ORDER BY d", t.day, t.table, days))
		if err != nil {
			return err
		}
		const bounds = " SETTINGS min_insert_block_size_rows = 600000, min_insert_block_size_bytes = 0, " +
			"max_insert_block_size = 600000, max_memory_usage = 6000000000"
		for day := range strings.Lines(list) {
			day = strings.TrimSpace(day)
			there, err := conn.QueryText(ctx, fmt.Sprintf("SELECT countIf(d = toDate('%[3]s')) <= countIf(d = toDate('%[3]s') - %[4]d) "+
				"FROM (SELECT %[1]s AS d FROM flyball.%[2]s WHERE d IN (toDate('%[3]s'), toDate('%[3]s') - %[4]d))", t.day, t.table, day, back))
			if err != nil {
				return err
			}
			if strings.TrimSpace(there) == "1" {
				continue
			}
			sql := fmt.Sprintf("INSERT INTO flyball.%[1]s %[2]s FROM (SELECT * FROM flyball.%[1]s WHERE %[3]s = '%[4]s')",
				t.table, t.rows, t.day, day) + bounds
			if err := conn.RunStatement(ctx, sql); err != nil {
				return fmt.Errorf("copy %s of %s: %w", t.table, day, err)
			}
			if t.table != "calls_v5" {
				continue
			}
			// Ids of calls are found by hashes, which a copy cannot derive from the stored ones.
			sql = fmt.Sprintf("INSERT INTO flyball.call_ids (tenant, day, kind, id, actor_hash) SELECT DISTINCT tenant, "+
				"toDate(start_time), p.1, p.2, actor_hash FROM (SELECT tenant, actor_hash, start_time, "+
				"arrayJoin([('trace_id', toUInt32(xxHash64(unhex(trace_id)))), ('request_id', toUInt32(xxHash64(request_id)))]) AS p "+
				"FROM flyball.calls WHERE start_time >= toDateTime64('%[1]s 00:00:00', 9, 'UTC') - INTERVAL %[2]d DAY "+
				"AND start_time < toDateTime64('%[1]s 00:00:00', 9, 'UTC') - INTERVAL %[2]d DAY + INTERVAL 1 DAY)", day, back) + bounds
			if err := conn.RunStatement(ctx, sql); err != nil {
				return fmt.Errorf("copy ids of %s: %w", day, err)
			}
			fmt.Printf("%s copied %s, %d days earlier\n", time.Now().Format(time.TimeOnly), day, back)
		}
	}
	return nil
}
