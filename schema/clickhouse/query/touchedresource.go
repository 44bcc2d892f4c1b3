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

// callsOfResource returns the condition for the calls of the newest runs that touched a resource. left says which were not looked into.
func callsOfResource(ctx context.Context, db DB, resource string, win Window) (own *where, left Caveats, err error) {
	sql, params := newestRunsOf(resource, win)
	var runs []runRef // each also without its actor: for the table of schema version 4
	var first, last time.Time
	var days dayList
	err = each(ctx, db, "runs that touched the resource", fmt.Sprintf(
		"SELECT actor, toString(run_id), first, last FROM (%s LIMIT %d) ORDER BY last DESC, run_id", sql, maxResourceRuns+1), params,
		func(r driver.Rows) error {
			var v runRef
			var began time.Time
			err := r.Scan(&v.actor, &v.id, &began, &v.at)
			if first.IsZero() || began.Before(first) {
				first = began
			}
			if v.at.After(last) {
				last = v.at
			}
			days.add(began, v.at)
			runs = append(runs, v, runRef{id: v.id})
			return err
		})
	if err != nil {
		return nil, nil, err
	}
	if len(runs) > 2*maxResourceRuns {
		runs = runs[:2*maxResourceRuns]
		left.add("more_runs: only the %d newest runs that touched it were looked into", maxResourceRuns)
	}
	own = &where{}
	if err := own.ofRuns(runs); err != nil {
		return nil, nil, err
	}
	own.add("has(resources, {value:String})", named("value", resource))
	if len(runs) == 0 {
		return own, left, nil
	}
	var states where
	states.add("(posted_actor, run_id) IN (SELECT subject_actor, subject_run FROM subject_runs)")
	states.between("started_at", "last_at", win.Since, win.Until)
	return own, left, own.betweenCallsOf(ctx, own.bind(db), &states, uint64(len(runs)/2), first, last, &days)
}

// betweenCallsOf adds the bounds of the days on which some runs have calls, which saves to read the others. states are the
// conditions on run_states for the n runs, first and last are times between which they have calls, and days those of these calls. The
// bounds are not those of the calls that touched a resource: what the check denied touched nothing, and may lie before and after. There
// is no bound that is not known: where the state of a run is not stored, and for the end of an open run, whose state may be older than
// its last call.
func (w *where) betweenCallsOf(ctx context.Context, db DB, states *where, n uint64, first, last time.Time, days *dayList) error {
	var known, open uint64
	var started, ended time.Time
	var listed []time.Time
	err := each(ctx, db, "times of the runs", fmt.Sprintf(`SELECT count(), countIf(newest = 'open'), min(started), max(ended),
groupUniqArrayArray(%[1]d)(arrayMap(i -> toDate(started) + i, range(toUInt32(if(ended < started, %[1]d,
least(dateDiff('day', started, ended), %[1]d))) + 1))) FROM (
SELECT argMax(state, (segment, version)) AS newest, min(started_at) AS started, max(last_at) AS ended FROM run_states %[2]s
GROUP BY tenant, actor_hash, run_id)`, maxListedDays+1, states.String()), states.params, func(r driver.Rows) error {
		return r.Scan(&known, &open, &started, &ended, &listed)
	})
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
	for _, day := range listed {
		days.add(day, day)
	}
	if condition := days.condition(); condition != "" {
		w.add(condition)
	}
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
