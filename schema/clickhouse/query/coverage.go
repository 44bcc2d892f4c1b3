package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Coverage contains, for the logged calls of a time window, the number of calls that were sent
// to the check.
type Coverage struct {
	Since Time          `json:"since"`
	Until Time          `json:"until"`
	Rows  []CoverageRow `json:"rows"`
	// Caveats are sentences about unknown values.
	Caveats Caveats `json:"caveats"`
}

// CoverageRow counts an agent's calls at a gateway. Calls = Asked + NeverAsked + Unknown.
type CoverageRow struct {
	AgentID    string  `json:"agent_id"`
	Gateway    string  `json:"gateway"` // name of the observer, otherwise the topic of the calls
	Calls      uint64  `json:"calls"`
	Asked      uint64  `json:"asked"`
	NeverAsked uint64  `json:"never_asked"`
	Unknown    uint64  `json:"unknown"` // calls without decision id and request id in the log
	Share      float64 `json:"share"`   // Asked / (Calls - Unknown); -1: all calls are unknown
	NewestAt   Time    `json:"newest_at"`
	NewestOpen Time    `json:"newest_never_asked_at"` // null: all calls were sent to the check
}

// MaxCoverageRows is the maximum number of rows.
const MaxCoverageRows = 1000

// byDecision selects rows that contain a decision of the check: its id (unless the receipt
// logged with it is invalid), a denial by Flyball, or the information that the call passed
// while the check was not reachable. A client can set a header itself, so a header counts only
// with a valid receipt.
const byDecision = `(attrs['flyball_decision'] != '' AND attrs['flyball.receipt'] IN ('', 'missing')
 OR attrs['header.X-Flyball-Decision'] != '' AND attrs['flyball.receipt'] = ''
 OR attrs['flyball_passed'] != ''
 OR denied_by_flyball)`

// countedLine selects the line of each call that somebody other than the check logged: the row that
// counts, or a line that came after the check's row had counted.
const countedLine = `(counted OR startsWith(attrs['observation_of'], 'flyball.check/'))`

// recordedRequests selects the hashes of what the check recorded: of each request with its id, its run or its path alone. It is one text
// for all comparisons, which the engine executes once.
const recordedRequests = `SELECT arrayJoin(arrayFilter(x -> x != 0, [
  if(request_id != '', sipHash64('request', tenant, request_id, method, path), 0), sipHash64('run', tenant, run_id, method, path),
  if(request_id = '', sipHash64('run only', tenant, run_id, method, path), 0), sipHash64('path', tenant, method, path),
  if(request_id = '', sipHash64('path only', tenant, method, path), 0)])) FROM calls %s`

// ReadCoverage returns the coverage of a time window. A call counts as sent to the check by
//   - the decision in its row, or in the row of another observer for the same call;
//   - a request that the check recorded: with the same request id, method and path, or,
//     if one of the two has no request id, with the same run, method and path.
//
// A line that is only an observation of the check's row, because it came late, is one of the calls.
//
// A call is unknown if the check saw its method and path in that window and no request
// id shows whether it was this call. Logs that callers write themselves (clients,
// agents) are left out, because the check is not in their path.
func ReadCoverage(ctx context.Context, db DB, since, until time.Time) (*Coverage, error) {
	out := &Coverage{Since: Time{since}, Until: Time{until}, Rows: []CoverageRow{}, Caveats: Caveats{}}
	var w where
	w.between("start_time", "start_time", since, until)
	w.add("observer_kind NOT IN ('gate', 'client', 'agent_runtime', 'audit')")
	params := w.params
	// The check records a call before its gateway logs it, and with another clock.
	noted := "WHERE observer_kind = 'gate'"
	if !since.IsZero() {
		noted += " AND start_time >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') - INTERVAL 5 MINUTE"
	}
	if !until.IsZero() {
		noted += " AND start_time <= fromUnixTimestamp64Nano({until:Int64}, 'UTC') + INTERVAL 5 MINUTE"
	}
	asked, err := askedBy(ctx, db, w.String(), noted, params)
	if err != nil {
		return nil, err
	}
	sql := fmt.Sprintf(`SELECT agent_id, gateway, count() AS n, countIf(asked) AS a, countIf(NOT asked AND unsure) AS u, countIf(NOT asked
AND NOT unsure) AS never,
max(start_time), maxIf(start_time, NOT asked AND NOT unsure) FROM (
 SELECT agent_id, if(observer != '', observer, source_topic) AS gateway, start_time,
  %[1]s AS asked, %[2]s AS unsure
 FROM calls %[3]s AND %[4]s
) GROUP BY agent_id, gateway ORDER BY never DESC, u DESC, n DESC, agent_id, gateway LIMIT %[5]d`, asked.condition, asked.unsure, w.String(),
		asked.lines, MaxCoverageRows+1)
	err = each(ctx, db, "calls that were asked", sql, params, func(r driver.Rows) error {
		var v CoverageRow
		err := r.Scan(&v.AgentID, &v.Gateway, &v.Calls, &v.Asked, &v.Unknown, &v.NeverAsked, &v.NewestAt.Time, &v.NewestOpen.Time)
		if v.NeverAsked == 0 {
			v.NewestOpen = Time{}
		}
		if v.Share = -1; v.Calls > v.Unknown {
			v.Share = float64(v.Asked) / float64(v.Calls-v.Unknown)
		}
		out.Rows = append(out.Rows, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(out.Rows) > MaxCoverageRows {
		out.Rows = out.Rows[:MaxCoverageRows]
		out.Caveats.add("more than %d pairs of agent and gateway: those with most calls that were never asked are shown", MaxCoverageRows)
	}
	out.addCaveats()
	return out, nil
}

// askedConditions are how the calls of a window are compared with what the check recorded.
type askedConditions struct {
	condition string // for calls that the check was asked about
	unsure    string // for calls of which that cannot be told
	lines     string // for the line of each call
}

// askedBy returns the conditions for the calls that meet window. noted is the condition for what the check recorded. What no row of the
// window has is not compared: most of the time goes into the comparisons of every call with what the check recorded and with further
// observations.
func askedBy(ctx context.Context, db DB, window, noted string, params []any) (askedConditions, error) {
	out := askedConditions{condition: byDecision, unsure: "false", lines: "counted"}
	var recorded, beside uint64
	sql := "SELECT (SELECT count() FROM calls " + noted + "), (SELECT countIf(NOT counted) FROM calls " + window + ")"
	if err := each(ctx, db, "what the check recorded", sql, params, func(r driver.Rows) error {
		return r.Scan(&recorded, &beside)
	}); err != nil {
		return out, err
	}
	if beside > 0 {
		out.lines = countedLine
		out.condition += fmt.Sprintf("\n OR record_id IN (SELECT attrs['observation_of'] FROM calls %s AND attrs['observation_of'] != '' AND %s)",
			window, byDecision)
	}
	if recorded > 0 {
		requests := fmt.Sprintf(recordedRequests, noted)
		out.condition += fmt.Sprintf(`
  OR request_id != '' AND sipHash64('request', tenant, request_id, method, path) IN (%[1]s)
  OR request_id = '' AND sipHash64('run', tenant, run_id, method, path) IN (%[1]s)
  OR sipHash64('run only', tenant, run_id, method, path) IN (%[1]s)`, requests)
		out.unsure = fmt.Sprintf(`sipHash64('path', tenant, method, path) IN (%[1]s)
  AND (request_id = '' OR sipHash64('path only', tenant, method, path) IN (%[1]s))`, requests)
	}
	return out, nil
}

// addCaveats adds a caveat for each gateway with calls of unknown coverage.
func (c *Coverage) addCaveats() {
	unknown, all := map[string]uint64{}, map[string]uint64{}
	var order []string
	for i := range c.Rows {
		r := &c.Rows[i]
		if all[r.Gateway] += r.Calls; r.Unknown > 0 {
			if unknown[r.Gateway] == 0 {
				order = append(order, r.Gateway)
			}
			unknown[r.Gateway] += r.Unknown
		}
	}
	for _, g := range order {
		c.Caveats.add("cannot_be_told: %d of %d calls that %s logged have neither a decision id "+
			"nor a request id that the check was given; let it log flyball_decision, or request_id and send it to the check as X-Request-Id",
			unknown[g], all[g], g)
	}
}

// NeverAskedRows returns the rows with calls that were never sent to the check.
func (c *Coverage) NeverAskedRows() (rows []CoverageRow) {
	for _, r := range c.Rows {
		if r.NeverAsked > 0 {
			rows = append(rows, r)
		}
	}
	return rows
}
