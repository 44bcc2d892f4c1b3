package query

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

// traceDay is a day on which calls have some of the traces that are looked for, with these and the actors of the calls. Hashes of other
// traces may be equal: the list can name more than there are.
type traceDay struct {
	day    string
	traces []string // as in the column trace_id
	actors []string
}

// maxTraceDays is the maximum number of days that a statement reads one by one.
const maxTraceDays = 40

// callsWithTraces selects the column run_id of the calls that withTraces selects, whose parameters it has. Where the traces are known, each
// day is read for the actors that have one of its traces then: a resource has runs of many actors in a month, each of which made calls
// with these traces on one day of it.
func callsWithTraces(ctx context.Context, db DB, traces idSet, first, last time.Time) (string, error) {
	all := "SELECT run_id FROM calls WHERE " + withTraces(traces)
	if !traces.known || last.Sub(first) < 2*24*time.Hour {
		return all, nil
	}
	days, err := daysOfTraces(ctx, db, traces, first, last)
	if err != nil || len(days) > maxTraceDays {
		return all, err
	}
	const between = "start_time >= toDateTime64({first_hour:Int64}, 9, 'UTC') AND " +
		"start_time < toDateTime64({last_hour:Int64} + 3600, 9, 'UTC')"
	parts := []string{"SELECT run_id FROM calls WHERE " + between + " AND actor_hash = 0 AND trace_id IN (" + traces.in() + ")"}
	for _, d := range days {
		parts = append(parts, fmt.Sprintf("SELECT run_id FROM calls WHERE toDate(start_time) = '%s' AND %s AND actor_hash IN (%s) "+
			"AND actor_hash != 0 AND trace_id IN ('%s')", d.day, between, strings.Join(d.actors, ","), strings.Join(d.traces, "','")))
	}
	if sql := strings.Join(parts, " UNION ALL "); len(sql) <= maxListBytes-len(traces.ids)*listedBytes/2 {
		return sql, nil
	}
	return all, nil
}

// daysOfTraces returns the days on which calls have some traces, at most one more than a statement reads one by one.
func daysOfTraces(ctx context.Context, db DB, traces idSet, first, last time.Time) (out []traceDay, err error) {
	byHash := map[uint32][]string{}
	for _, trace := range traces.ids {
		id, _ := hex.DecodeString(trace) // calls has traces as hexadecimal digits
		hash := schema.HashCallID(id)
		byHash[hash] = append(byHash[hash], trace)
	}
	sql := fmt.Sprintf(`SELECT toString(day), groupUniqArray(actor_hash), groupUniqArray(id) FROM call_ids WHERE kind = 'trace_id'
AND id IN (%s) AND day >= toDate(toDateTime({first_hour:Int64}, 'UTC')) AND day <= toDate(toDateTime({last_hour:Int64}, 'UTC'))
GROUP BY day ORDER BY day LIMIT %d`, traces.hashes(), maxTraceDays+1)
	return out, each(ctx, db, "days of the traces", sql, hoursAround(first, last), func(r driver.Rows) error {
		var d traceDay
		var actors, ids []uint32
		err := r.Scan(&d.day, &actors, &ids)
		for _, hash := range ids {
			d.traces = append(d.traces, byHash[hash]...)
		}
		for _, actor := range slices.Sorted(slices.Values(actors)) {
			d.actors = append(d.actors, strconv.FormatUint(uint64(actor), 10))
		}
		out = append(out, d)
		return err
	})
}

// otherRunsInTraces returns a sentence if other runs share traces with a subject's calls: only for one run the calls of its traces are
// read. own is the condition for these calls, look the first look at them, and sum what they add up to.
func otherRunsInTraces(ctx context.Context, db DB, own *where, look *firstLook, sum *effectTotal) (left Caveats, err error) {
	var n uint64
	if sum.calls == 0 || look.traces.none() {
		return nil, nil
	}
	if look.traces.known && look.runs.known {
		own = &where{} // which names nothing of the statement
	}
	calls, err := callsWithTraces(ctx, db, look.traces, sum.first, sum.last)
	if err != nil {
		return left, err
	}
	sql := "SELECT uniqExact(run_id) FROM (" + calls + ") WHERE run_id NOT IN (" + look.runs.in() + ")"
	err = each(ctx, own.bind(db), "runs of the same traces", sql,
		append(slices.Clone(own.params), hoursAround(sum.first, sum.last)...), func(r driver.Rows) error { return r.Scan(&n) })
	if err != nil {
		return left, err
	}
	if n > 0 {
		left.add("linked_runs: %d other runs share traces with these calls, from an hour before the first to an hour after the last; what was "+
			"called on its behalf is read for one run at a time: flyball touched RUN", n)
	}
	if look.traces.known {
		return left, nil
	}
	var traces uint64
	if err := each(ctx, own.bind(db), "traces of these calls", "SELECT uniqExact(trace_id) FROM calls "+own.String()+" AND trace_id != ''",
		own.params, func(r driver.Rows) error { return r.Scan(&traces) }); err != nil {
		return left, err
	}
	if traces > maxSharedTraces {
		left.add("more_traces: these calls have %d traces; other runs were looked for in %d of them: ask about a shorter time (--since, "+
			"--until), or about one run at a time", traces, maxSharedTraces)
	}
	return left, nil
}
