package query

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// RunEvent is a finding or a decision about a run.
type RunEvent struct {
	At                      time.Time
	Kind, Name, Level, Text string // kind is finding or decision; name its family or action, level that of the finding or the mode
}

// maxRunEvents is the maximum number of findings, and of decisions, of a run that are read.
const maxRunEvents = 200

// EventsOfRun returns the findings and decisions about a run, the earliest first: of many the findings of the highest levels and the latest
// decisions, and that there are more.
func EventsOfRun(ctx context.Context, db DB, run *Run) (events []RunEvent, more bool, err error) {
	for _, of := range []struct{ sql, order string }{
		{`SELECT opened_at AS at, 'finding', family, toString(level), summary FROM findings`, "level DESC, at DESC, finding_id"},
		{`SELECT at, 'decision', action, mode, reason FROM decisions`, "at DESC, decision_id"},
	} {
		sql := of.sql + fmt.Sprintf(" WHERE run_id = {id:UUID} AND tenant = {tenant:String} ORDER BY %s LIMIT %d", of.order, maxRunEvents+1)
		n := 0
		err := each(ctx, db, "findings and decisions of the run", sql, []any{named("id", run.RunID), named("tenant", run.Tenant)},
			func(r driver.Rows) error {
				var v RunEvent
				err := r.Scan(&v.At, &v.Kind, &v.Name, &v.Level, &v.Text)
				if n++; n > maxRunEvents {
					more = true
					return err
				}
				events = append(events, v)
				return err
			})
		if err != nil {
			return nil, false, err
		}
	}
	slices.SortStableFunc(events, func(a, b RunEvent) int { return a.At.Compare(b.At) })
	return events, more, nil
}
