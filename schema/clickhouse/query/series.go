package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// CallsPoint counts the calls that began within one interval, by outcome.
type CallsPoint struct {
	At           time.Time // start of the interval
	Calls        uint64
	Failed       uint64 // neither denied nor successful
	Denied       uint64
	Irreversible uint64 // calls that were not denied
}

// CallsOverTime counts calls by intervals of at least a second, the earliest first. An empty
// agent selects all agents.
func CallsOverTime(ctx context.Context, db DB, agent string, since, until time.Time, step time.Duration, limit int) ([]CallsPoint, error) {
	var w where
	w.add("counted")
	w.between("start_time", "start_time", since, until)
	if agent != "" {
		w.add("agent_id = {agent:String}", named("agent", agent))
	}
	out := []CallsPoint{}
	sql := fmt.Sprintf(`SELECT toDateTime64(toStartOfInterval(start_time, INTERVAL %d SECOND), 3, 'UTC') AS t, count(),
countIf(outcome NOT IN ('ok', 'unknown', 'denied')), countIf(outcome = 'denied'), countIf(reversibility = 'irreversible'
AND outcome IN ('ok', 'unknown'))
FROM calls %s GROUP BY t ORDER BY t LIMIT %d`, max(int64(step/time.Second), 1), w.String(), limit)
	err := each(ctx, db, "calls over time", sql, w.params, func(r driver.Rows) error {
		var v CallsPoint
		err := r.Scan(&v.At, &v.Calls, &v.Failed, &v.Denied, &v.Irreversible)
		out = append(out, v)
		return err
	})
	return out, err
}

// CountCalls returns the number of stored calls, each once whoever observed it.
func CountCalls(ctx context.Context, db DB) (n uint64, err error) {
	err = each(ctx, db, "stored calls", "SELECT countIf(counted) FROM calls", nil, func(r driver.Rows) error { return r.Scan(&n) })
	return n, err
}
