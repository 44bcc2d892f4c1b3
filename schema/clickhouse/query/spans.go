package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Span is a call of a run in the form of a trace.
type Span struct {
	ID         string // position of the call's record
	Operation  string
	Service    string // the called API, otherwise the observer
	Start      time.Time
	DurationNs int64 // 0: unknown
	Outcome    string
	Status     uint16
}

// RunSpans returns the counted calls of a run, in the order of time.
func RunSpans(ctx context.Context, db DB, run *Run, limit int) ([]Span, error) {
	out := []Span{}
	sql := fmt.Sprintf(`SELECT concat(toString(source_partition), '/', toString(source_offset), '/', toString(item)),
if(method = '', operation, concat(method, ' ', route)), if(api = '', observer, api), start_time, greatest(duration_ns, 0),
toString(outcome), status
FROM calls WHERE %s AND counted
ORDER BY start_time, source_topic, source_partition, source_offset, item LIMIT %d`, callsOfRun(run), limit)
	err := each(ctx, db, "spans of the run", sql, []any{named("tenant", run.Tenant), named("id", run.RunID)}, func(r driver.Rows) error {
		var v Span
		err := r.Scan(&v.ID, &v.Operation, &v.Service, &v.Start, &v.DurationNs, &v.Outcome, &v.Status)
		out = append(out, v)
		return err
	})
	return out, err
}
