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

// CallsOverTime counts calls by intervals, the earliest first; an interval without calls is not returned. An empty agent selects
// all agents. The counts of minutes and, for an agent, of hours answer intervals that are as long or longer: the interval is then
// a multiple of them, and the first and the last one are those that contain since and until. Shorter intervals of at least a
// second are counted from the calls.
func CallsOverTime(ctx context.Context, db DB, agent string, since, until time.Time, step time.Duration, limit int) ([]CallsPoint, error) {
	table, unit, at := "minute_counts", time.Minute, "minute"
	if agent != "" {
		table, unit, at = "hour_counts", time.Hour, "hour"
	}
	if step < unit {
		return countedCalls(ctx, db, agent, Window{since, until}, step, limit)
	}
	var w where
	Window{since, until}.counted(&w, at, unit)
	if agent != "" {
		w.add("agent_id = {agent:String}", named("agent", agent))
	}
	sql := fmt.Sprintf(`SELECT toDateTime64(toStartOfInterval(%s, INTERVAL %d SECOND), 3, 'UTC') AS t, sum(calls),
toUInt64(sum(calls) - sum(outcome_ok) - sum(outcome_unknown) - sum(outcome_denied)), sum(outcome_denied), sum(done_irreversible)
FROM %s %s GROUP BY t HAVING sum(calls) > 0 ORDER BY t LIMIT %d`, at, (step+unit-1)/unit*unit/time.Second, table, w.String(), limit)
	return readPoints(ctx, db, sql, w.params)
}

// counted adds the condition for counts of the minutes or hours that have a part in the window. at is the column of their start.
func (win Window) counted(w *where, at string, unit time.Duration) {
	if !win.Since.IsZero() {
		w.add(at+" > toDateTime({since:Int64}, 'UTC')", named("since", fmt.Sprint(win.Since.Add(-unit).Unix())))
	}
	if !win.Until.IsZero() {
		w.add(at+" <= toDateTime({until:Int64}, 'UTC')", named("until", fmt.Sprint(win.Until.Unix())))
	}
}

// countedCalls counts the calls of a window by intervals.
func countedCalls(ctx context.Context, db DB, agent string, win Window, step time.Duration, limit int) ([]CallsPoint, error) {
	var w where
	w.add("counted")
	w.between("start_time", "start_time", win.Since, win.Until)
	if agent != "" {
		w.add("agent_id = {agent:String}", named("agent", agent))
		w.add(actorsPosted("actor_hash", "agent_id", "agent", win))
	}
	sql := fmt.Sprintf(`SELECT toDateTime64(toStartOfInterval(start_time, INTERVAL %d SECOND), 3, 'UTC') AS t, count(),
countIf(outcome NOT IN ('ok', 'unknown', 'denied')), countIf(outcome = 'denied'), countIf(reversibility = 'irreversible'
AND outcome IN ('ok', 'unknown'))
FROM calls %s GROUP BY t ORDER BY t LIMIT %d`, max(int64(step/time.Second), 1), w.String(), limit)
	return readPoints(ctx, db, sql, w.params)
}

func readPoints(ctx context.Context, db DB, sql string, params []any) ([]CallsPoint, error) {
	out := []CallsPoint{}
	return out, each(ctx, db, "calls over time", sql, params, func(r driver.Rows) error {
		var v CallsPoint
		err := r.Scan(&v.At, &v.Calls, &v.Failed, &v.Denied, &v.Irreversible)
		out = append(out, v)
		return err
	})
}

// CountCalls returns the number of stored calls, each once whoever observed it. Calls that have expired, or may have, are not
// counted: the counts of minutes are kept for longer.
func CountCalls(ctx context.Context, db DB) (n uint64, err error) {
	kept, _, err := KeptSince(ctx, db)
	if err != nil {
		return 0, err
	}
	var w where
	if !kept.IsZero() {
		w.add("minute >= toDateTime({since:Int64}, 'UTC')", named("since", fmt.Sprint(kept.Unix())))
	}
	err = each(ctx, db, "stored calls", "SELECT sum(calls) FROM minute_counts "+w.String(), w.params,
		func(r driver.Rows) error { return r.Scan(&n) })
	return n, err
}
