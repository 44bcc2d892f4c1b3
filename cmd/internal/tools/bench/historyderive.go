package main

import (
	"context"
	"fmt"
	"strings"

	"flyball/schema"
	"flyball/schema/clickhouse"
)

// deriveIndexes fills the tables of indexes and counts from stored calls, day by day, if a folder has calls alone: those that
// -learn made. The rows are those that detect writes, after merges.
func deriveIndexes(ctx context.Context, conn *clickhouse.Conn, some []schema.Call) error {
	if n, err := conn.QueryText(ctx, "SELECT count() FROM flyball.touches_v5"); err != nil || strings.TrimSpace(n) != "0" {
		return err
	}
	days, err := conn.QueryText(ctx, "SELECT DISTINCT partition FROM system.parts WHERE active AND database = 'flyball' "+
		"AND table = 'calls_v5' ORDER BY 1")
	if err != nil {
		return err
	}
	for day := range strings.Lines(days) {
		day = strings.TrimSpace(day)
		of := fmt.Sprintf(" FROM flyball.calls WHERE start_time >= toDateTime64('%[1]s 00:00:00', 9, 'UTC') "+
			"AND start_time < toDateTime64('%[1]s 00:00:00', 9, 'UTC') + INTERVAL 1 DAY", day)
		for _, sql := range []string{
			"INSERT INTO flyball.touches_v5 SELECT tenant, arrayJoin(resources) AS resource, actor_hash, run_id, effect, max(reversibility), " +
				"min(start_time), max(start_time)" + of + " GROUP BY ALL",
			"INSERT INTO flyball.postings (tenant, kind, value, day, actor_hash) SELECT DISTINCT tenant, p.1, p.2, toDate(start_time), actor_hash " +
				"FROM (SELECT tenant, actor_hash, start_time, arrayJoin(arrayFilter(x -> x.2 != '', [('agent_id', agent_id), " +
				"('credential_id', credential_id), ('principal_id', principal_id), ('client_ip', client_ip), ('host', host)])) AS p" + of + ")",
			"INSERT INTO flyball.call_ids (tenant, day, kind, id, actor_hash) SELECT DISTINCT tenant, toDate(start_time), p.1, p.2, actor_hash " +
				"FROM (SELECT tenant, actor_hash, start_time, arrayJoin([('trace_id', toUInt32(xxHash64(unhex(trace_id)))), " +
				"('request_id', toUInt32(xxHash64(request_id)))]) AS p" + of + ")",
			"INSERT INTO flyball.stitching_v5 SELECT tenant, toStartOfHour(start_time), 'edge', format, run_rule, calls_partition, " +
				fmt.Sprintf("intDiv(calls_offset, %d)", rowsPerRecord) + ", count()" + of + " GROUP BY ALL",
			"INSERT INTO flyball.minutes SELECT tenant, toStartOfMinute(start_time), calls_partition, 0, " + countersOf(of),
			"INSERT INTO flyball.hours SELECT tenant, agent_id, toStartOfHour(start_time), actor_hash, calls_partition, 0, uniqExact(run_id), " +
				countersOf(of),
		} {
			if err := conn.RunStatement(ctx, sql); err != nil {
				return err
			}
		}
	}
	return writeFindings(ctx, conn, some)
}

// countersOf selects the columns of schema.Counters.
func countersOf(calls string) string {
	text := "count()"
	for _, word := range schema.OutcomeWords {
		text += ", countIf(outcome = '" + word + "')"
	}
	for _, word := range schema.ReversibilityWords {
		text += ", countIf(reversibility = '" + word + "' AND outcome IN ('ok', 'unknown'))"
	}
	return text + ", sum(bytes_out), sum(tokens_in), sum(tokens_out)" + calls + " AND counted GROUP BY ALL"
}
