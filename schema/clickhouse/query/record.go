package query

import (
	"context"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// recordField is the field of a hit by the id of a record in evidence.
const recordField = "record"

// parseRecord reads the id of a record as evidence names it: the partition and the offset of
// flyball.calls, and the number of the call in the record, as in 5/269/0.
func parseRecord(term string) (partition, offset string, ok bool) {
	parts := strings.Split(term, "/")
	if len(parts) != 3 {
		return "", "", false
	}
	for _, part := range parts {
		if n, err := strconv.ParseInt(part, 10, 64); err != nil || n < 0 || strings.HasPrefix(part, "+") {
			return "", "", false
		}
	}
	return parts[0], parts[1], true
}

// runsOfRecord returns the runs with calls in one record of flyball.calls, which has at most 256 of
// them.
func runsOfRecord(ctx context.Context, db DB, partition, offset string) ([]Hit, error) {
	out := []Hit{}
	err := each(ctx, db, "calls of the record", `SELECT toString(run_id) AS id, any(run_key), any(agent_id), count(), min(start_time),
max(start_time) AS at FROM calls WHERE calls_partition = {partition:Int32} AND calls_offset = {offset:Int64} GROUP BY id ORDER BY at DESC, id`,
		[]any{named("partition", partition), named("offset", offset)}, func(r driver.Rows) error {
			h := Hit{Field: recordField}
			err := r.Scan(&h.RunID, &h.RunKey, &h.AgentID, &h.Calls, &h.FirstAt.Time, &h.LastAt.Time)
			out = append(out, h)
			return err
		})
	return out, err
}
