package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// DeniedRun is a run whose attempts on a resource were all denied by the check: it touched nothing.
type DeniedRun struct {
	RunID    string   `json:"run_id"`
	Agents   []string `json:"agents"`  // at most 20
	Effects  []string `json:"effects"` // that the attempts would have had
	Routes   []string `json:"routes"`  // at most 20
	Attempts uint64   `json:"attempts"`
	FirstAt  Time     `json:"first_at"`
	LastAt   Time     `json:"last_at"`
}

// maxDeniedRuns is the maximum number of runs with nothing but denied attempts that a report lists.
const maxDeniedRuns = 100

// countsDelay is longer than the counts of an hour may be behind its calls.
const countsDelay = 15 * time.Minute

// deniedRuns reads the newest runs whose attempts on a resource were all denied by the check; left says that there are more. No index of
// resources names them. The counts of hours say which actors were denied something, and the calls of these are read.
func deniedRuns(ctx context.Context, db DB, resource string, win Window) (out []DeniedRun, left Caveats, err error) {
	newest, err := newestStored(ctx, db)
	if err != nil || newest.IsZero() {
		return nil, nil, err
	}
	var w where
	w.between("start_time", "start_time", win.Since, win.Until)
	touching, params := newestRunsOf(resource, win)
	w.add("run_id NOT IN (SELECT run_id FROM ("+touching+"))", params...)
	w.add("outcome = 'denied' AND observer_kind = 'gate' AND counted AND has(resources, {value:String})", named("value", resource))
	hours := "FROM hours WHERE outcome_denied > 0" + win.hours()
	recent := fmt.Sprintf("FROM calls WHERE outcome = 'denied' AND start_time >= fromUnixTimestamp64Nano(%d, 'UTC')",
		newest.Add(-countsDelay).UnixNano())
	const columns = "tenant, run_id, agent_id, effect, method, route, start_time"
	sql := fmt.Sprintf(`SELECT toString(run_id), groupUniqArrayIf(20)(agent_id, agent_id != ''), arraySort(groupUniqArray(toString(effect))),
arraySort(groupUniqArray(20)(concat(method, ' ', route))), count(), min(start_time) AS first, max(start_time) AS last FROM (
 SELECT %[1]s FROM calls %[2]s AND actor_hash != 0
 AND actor_hash IN (SELECT actor_hash %[3]s UNION ALL SELECT actor_hash %[4]s)
 AND toDate(start_time) IN (SELECT toDate(hour) %[3]s UNION ALL SELECT toDate(start_time) %[4]s)
 UNION ALL SELECT %[1]s FROM calls %[2]s AND actor_hash = 0
) GROUP BY tenant, run_id ORDER BY last DESC, run_id LIMIT %[5]d`, columns, w.String(), hours, recent, maxDeniedRuns+1)
	err = each(ctx, db, "denied attempts on the resource", sql, w.params, func(r driver.Rows) error {
		var v DeniedRun
		err := r.Scan(&v.RunID, &v.Agents, &v.Effects, &v.Routes, &v.Attempts, &v.FirstAt.Time, &v.LastAt.Time)
		out = append(out, v)
		return err
	})
	if err == nil && len(out) > maxDeniedRuns {
		out = out[:maxDeniedRuns]
		left.add("more_denied: only the %d newest runs are listed whose attempts were all denied by the check", maxDeniedRuns)
	}
	return out, left, err
}

// hours is a further condition on the column hour for the hours that have a part in the window.
func (win Window) hours() (sql string) {
	if !win.Since.IsZero() {
		sql = fmt.Sprintf(" AND hour > toDateTime(%d, 'UTC')", win.Since.Add(-time.Hour).Unix())
	}
	if !win.Until.IsZero() {
		sql += fmt.Sprintf(" AND hour <= toDateTime(%d, 'UTC')", win.Until.Unix())
	}
	return sql
}
