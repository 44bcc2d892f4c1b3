package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// maxResourceRuns is the maximum number of runs that are read for the touched set of a
// resource.
const maxResourceRuns = 1000

// callsOfResource returns the condition for the calls of the newest runs that touched the resource.
func (t *Touched) callsOfResource(ctx context.Context, db DB, win Window) (*where, error) {
	sql, params := newestRunsOf(t.Subject.Value, win)
	var runs uint64
	var first, last time.Time
	err := each(ctx, db, "runs that touched the resource", fmt.Sprintf("SELECT count(), min(first), max(last) FROM (%s LIMIT %d)", sql,
		maxResourceRuns+1), params, func(r driver.Rows) error { return r.Scan(&runs, &first, &last) })
	if err != nil {
		return nil, err
	}
	if runs > maxResourceRuns {
		t.caveat("more_runs: only the %d newest runs that touched it were looked into", maxResourceRuns)
	}
	var own where
	own.add(fmt.Sprintf("(actor_hash, run_id) IN (SELECT arrayJoin([actor, 0]), run_id FROM (%s LIMIT %d))", sql, maxResourceRuns), params...)
	own.add("has(resources, {value:String})", named("value", t.Subject.Value))
	if runs == 0 {
		return &own, nil
	}
	const touching = "(posted_actor, run_id) IN (SELECT arrayJoin([actor, 0]), run_id FROM (%s LIMIT %d))"
	states := where{params: params}
	states.add(fmt.Sprintf(touching, sql, maxResourceRuns))
	states.between("started_at", "last_at", win.Since, win.Until)
	return &own, own.betweenCallsOf(ctx, db, &states, min(runs, maxResourceRuns), first, last)
}

// betweenCallsOf adds the bounds of the days on which some runs have calls, which saves to read the others. states are the
// conditions on run_states for the n runs, first and last are times between which they have calls. The bounds are not those of the
// calls that touched a resource: what the check denied touched nothing, and may lie before and after. There is no bound that is not
// known: where the state of a run is not stored, and for the end of an open run, whose state may be older than its last call.
func (w *where) betweenCallsOf(ctx context.Context, db DB, states *where, n uint64, first, last time.Time) error {
	var known, open uint64
	var started, ended time.Time
	err := each(ctx, db, "times of the runs", `SELECT count(), countIf(newest = 'open'), min(started), max(ended) FROM (SELECT
argMax(state, (segment, version)) AS newest, min(started_at) AS started, max(last_at) AS ended FROM run_states `+states.String()+
		" GROUP BY tenant, actor_hash, run_id)", states.params, func(r driver.Rows) error { return r.Scan(&known, &open, &started, &ended) })
	if err != nil || known < n {
		return err
	}
	if started.After(first) {
		started = first
	}
	w.add("start_time >= fromUnixTimestamp64Nano({touched_first:Int64}, 'UTC')", named("touched_first", fmt.Sprint(started.UnixNano())))
	if open > 0 {
		return nil
	}
	if ended.Before(last) {
		ended = last
	}
	w.add("start_time <= fromUnixTimestamp64Nano({touched_last:Int64}, 'UTC')", named("touched_last", fmt.Sprint(ended.UnixNano())))
	return nil
}

// newestRunsOf selects the runs that touched a resource in a time window, the newest first, with their actors and the times of
// touching it. The names of its parameters are unique, so that it can be part of another statement.
func newestRunsOf(resource string, win Window) (sql string, params []any) {
	var w where
	w.add("resource = {touched:String}", named("touched", resource))
	if !win.Since.IsZero() {
		w.add("last_at >= fromUnixTimestamp64Nano({touched_since:Int64}, 'UTC')", named("touched_since", fmt.Sprint(win.Since.UnixNano())))
	}
	if !win.Until.IsZero() {
		w.add("first_at <= fromUnixTimestamp64Nano({touched_until:Int64}, 'UTC')", named("touched_until", fmt.Sprint(win.Until.UnixNano())))
	}
	return "SELECT run_id, max(actor_hash) AS actor, min(first_at) AS first, max(last_at) AS last FROM touches " + w.String() +
		" GROUP BY run_id ORDER BY last DESC, run_id", w.params
}
