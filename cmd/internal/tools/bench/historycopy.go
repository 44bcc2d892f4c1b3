package main

import (
	"context"
	"fmt"
	"strings"

	"flyball/schema/clickhouse"
)

// copyHistory stores every row once more, days later and with other ids of runs, traces and requests: a history twice as long, of the same
// agents, principals, addresses and resources, in less time than the block writers take. Rows are copied day by day by the engine itself.
func copyHistory(ctx context.Context, conn *clickhouse.Conn, days int) error {
	const (
		run     = "reinterpretAsUUID(reverse(reinterpretAsFixedString(run_id))) AS run_id"
		key     = "if(run_key = '', '', concat(run_key, 'b')) AS run_key"
		trace   = "toFixedString(reverse(trace_id), 16) AS trace_id"
		request = "reinterpretAsUUID(reverse(reinterpretAsFixedString(request_uuid))) AS request_uuid"
		segment = "segment + 1000000000000 AS segment"
	)
	later := func(columns ...string) string {
		for i, c := range columns {
			columns[i] = fmt.Sprintf("%[1]s + INTERVAL %[2]d DAY AS %[1]s", c, days)
		}
		return strings.Join(columns, ", ")
	}
	replace := func(columns ...string) string { return "SELECT * REPLACE (" + strings.Join(columns, ", ") + ")" }
	for _, t := range []struct{ table, day, rows string }{
		{"calls_v5", "toDate(start_time)", replace(run, key, trace, request, segment, later("start_time"),
			"calls_offset + 1000000000000 AS calls_offset", "source_offset + 1000000000000 AS source_offset")},
		{"runs_v5", "opened_day", replace(run, key, trace, segment, later("started_at", "last_at", "opened_day"))},
		{"touches_v5", "toDate(first_at)", replace(run, later("first_at", "last_at", "filed_day"))},
		{"postings", "day", replace(later("day", "filed_day"))},
		{"hours", "toDate(hour)", replace(segment, later("hour"))},
		{"minutes", "toDate(minute)", replace(segment, later("minute"))},
		{"stitching_v5", "toDate(hour)", replace(segment, later("hour"))},
	} {
		list, err := conn.QueryText(ctx, fmt.Sprintf("SELECT DISTINCT %s AS d FROM flyball.%s ORDER BY d", t.day, t.table))
		if err != nil {
			return err
		}
		const bounds = " SETTINGS min_insert_block_size_rows = 200000, min_insert_block_size_bytes = 0, " +
			"max_memory_usage = 6000000000"
		for day := range strings.Lines(list) {
			day = strings.TrimSpace(day)
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
				"FROM flyball.calls WHERE start_time >= toDateTime64('%[1]s 00:00:00', 9, 'UTC') + INTERVAL %[2]d DAY "+
				"AND start_time < toDateTime64('%[1]s 00:00:00', 9, 'UTC') + INTERVAL %[2]d DAY + INTERVAL 1 DAY)", day, days) + bounds
			if err := conn.RunStatement(ctx, sql); err != nil {
				return fmt.Errorf("copy ids of %s: %w", day, err)
			}
			fmt.Printf("copied %s\n", day)
		}
	}
	return nil
}
