package learn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"flyball/detect/model/baseline"
	"flyball/detect/model/callrate"
	"flyball/schema"
)

const (
	week = callrate.HoursPerWeek * time.Hour
	// maxWeeks is how many of the last weeks are read. Older ones are left out, because agents change.
	maxWeeks = 8
	// maxHours is how many hours with calls are read. Actors are read in the order of a hash of their names. Actors beyond
	// the limit are compared with the rates of their peers.
	maxHours = 4_000_000
)

// hoursOfActors selects the calls of every hour by agent and actor. It counts in quarters of an hour of event time, as
// the engine does. Alarmed runs are counted: without them each alarm would make the next one likelier, and callrate
// limits the influence of a single week. Runs with a finding that a person labelled true or test are left out.
const hoursOfActors = `WITH quarters AS (
  SELECT run_id, intDiv(toUnixTimestamp64Nano(start_time) - {since:Int64}, 900000000000) AS quarter, count() AS n
  FROM calls
  WHERE tenant = {tenant:String} AND start_time >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')
    AND start_time < fromUnixTimestamp64Nano({until:Int64}, 'UTC')
    AND ` + taught + `
  GROUP BY run_id, quarter),
taught AS (
  SELECT run_id, actor, agent_id AS agent, toString(agent_trust) AS trust, toString(caller_kind) AS kind
  FROM runs
  WHERE tenant = {tenant:String} AND sampled_calls = 0
    AND run_id NOT IN (` + judgedAs + `IN ('true', 'test')))),
acted AS (
  SELECT t.actor AS actor, t.agent AS agent, t.trust AS trust, t.kind AS kind, q.quarter AS quarter, sum(q.n) AS n
  FROM quarters AS q INNER JOIN taught AS t ON q.run_id = t.run_id
  GROUP BY actor, agent, trust, kind, quarter)
SELECT actor, agent, trust, kind, toInt32(intDiv(quarter, 4)) AS hour, toInt32(count()) AS seen, toFloat64(sum(n)), toFloat64(sum(n * n)),
  toFloat64(max(n))
FROM acted
GROUP BY actor, agent, trust, kind, hour
ORDER BY sipHash64(actor), actor, agent, trust, kind, hour
LIMIT {hours:UInt32}`

// ReadCallRates learns how many calls actors make from the whole weeks of a window. It returns nil when the window has
// fewer than two whole weeks.
func ReadCallRates(ctx context.Context, db DB, w Window) (*callrate.Model, error) {
	until := w.Until.Truncate(time.Hour)
	weeks := min(int(until.Sub(w.Since)/week), maxWeeks)
	if weeks < 2 {
		return nil, nil
	}
	since := until.Add(-time.Duration(weeks) * week)
	rows, err := db.Query(ctx, hoursOfActors, clickhouse.Named("tenant", w.Tenant), clickhouse.Named("since", fmt.Sprint(since.UnixNano())),
		clickhouse.Named("until", fmt.Sprint(until.UnixNano())), clickhouse.Named("hours", fmt.Sprint(maxHours)))
	if err != nil {
		return nil, fmt.Errorf("read the calls of every hour: %w", err)
	}
	defer rows.Close()
	var all []callrate.Series
	var last [4]string
	n := 0
	for rows.Next() {
		var who [4]string // actor, agent, trust, kind
		var c callrate.HourCounts
		if err := rows.Scan(&who[0], &who[1], &who[2], &who[3], &c.Hour, &c.ActiveQuarters, &c.Calls, &c.Squares, &c.Max); err != nil {
			return nil, fmt.Errorf("read the calls of every hour: %w", err)
		}
		if n++; n == 1 || who != last {
			var t schema.Trust
			var k schema.CallerKind
			if err := errors.Join(t.UnmarshalText([]byte(who[2])), k.UnmarshalText([]byte(who[3]))); err != nil {
				return nil, err
			}
			all = append(all, callrate.Series{Agent: baseline.AgentKey(who[1], t), Group: baseline.PeerGroup(who[1], k)})
			last = who
		}
		s := &all[len(all)-1]
		s.Cells = append(s.Cells, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the calls of every hour: %w", err)
	}
	body := callrate.Fit(all, weeks, callrate.HourOfWeek(callrate.QuarterAt(since.UnixNano())))
	if body != nil {
		body.Cut = n == maxHours
	}
	return body, nil
}
