package query

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// UsageRow counts a subject's calls on one route.
type UsageRow struct {
	Method        string   `json:"method,omitempty"`
	Route         string   `json:"route,omitempty"`
	RouteKey      string   `json:"-"`
	Tool          string   `json:"tool,omitempty"`
	Effect        string   `json:"effect"`
	Reversibility string   `json:"reversibility"`
	Calls         uint64   `json:"calls"`
	Runs          uint64   `json:"runs"`
	LastAt        Time     `json:"last_at"`
	PeakHour      uint64   `json:"peak_hour"` // calls in the busiest hour
	ResourceTypes []string `json:"resource_types,omitempty"`
	Hidden        uint64   `json:"resource_unknown,omitempty"` // calls without a known resource
	WithAmount    uint64   `json:"with_amount,omitempty"`
	MaxAmount     float64  `json:"max_amount,omitempty"`
	P95Amount     float64  `json:"p95_amount,omitempty"`
	DayAmount     float64  `json:"day_amount,omitempty"` // maximum in a day
	Currencies    []string `json:"currencies,omitempty"`
}

// Caller selects the calls of an agent, a credential or a run; one member is set.
type Caller struct {
	Agent, Credential, Run string
	// Clean excludes runs that reached an alert or have no stored state, and denied calls.
	Clean bool
}

// into adds the conditions for calls of a window, whose bounds are those that where.between names.
func (s Caller) into(w *where, win Window) {
	if s.Agent != "" {
		w.add("agent_id = {agent:String}", clickhouse.Named("agent", s.Agent))
		w.add(actorsPosted("actor_hash", "agent_id", "agent", win))
	}
	if s.Credential != "" {
		w.add("credential_id = {credential:String}", clickhouse.Named("credential", s.Credential))
		w.add(actorsPosted("actor_hash", "credential_id", "credential", win))
	}
	if s.Run != "" {
		w.add("run_id = toUUIDOrZero({run:String})", clickhouse.Named("run", s.Run))
	}
	if s.Clean {
		// A run without a stored state is not known to be clean: its calls may be stored before it.
		var of []string
		if s.Agent != "" {
			of = append(of, actorsPosted("posted_actor", "agent_id", "agent", win))
		}
		if s.Credential != "" {
			of = append(of, actorsPosted("posted_actor", "credential_id", "credential", win))
		}
		if s.Run != "" {
			of = append(of, "run_id = toUUIDOrZero({run:String})")
		}
		states := "run_states"
		if len(of) > 0 {
			states += " WHERE " + strings.Join(of, " AND ")
		}
		w.add("outcome NOT IN ('denied') AND run_id NOT IN (SELECT run_id FROM findings WHERE level >= 'alert') " +
			"AND run_id IN (SELECT run_id FROM " + states + " GROUP BY run_id HAVING max(level) < 'alert')")
	}
}

// MaxUsage bounds the routes of Usage, which returns one more if there are more.
const MaxUsage = 5000

// Usage returns a caller's calls by route, the most dangerous first. An empty caller
// selects all calls.
func Usage(ctx context.Context, db DB, s Caller, since, until time.Time) ([]UsageRow, error) {
	var w where
	w.between("start_time", "start_time", since, until)
	w.add("counted")
	s.into(&w, Window{since, until})
	out := []UsageRow{}
	err := each(ctx, db, "usage", `SELECT method, any(shown), route_key, tool_name, toString(effect), toString(reversibility), sum(n), uniqExactMerge(runs), max(last), max(n),
arraySort(arrayDistinct(arrayFlatten(groupArray(kinds)))), sum(hidden), sum(priced), max(most), quantileExactMerge(0.95)(p95), max(day_amount), arraySort(arrayDistinct(arrayFlatten(groupArray(currencies))))
FROM (
	SELECT method, any(route) AS shown, route_key, tool_name, effect, reversibility, toStartOfHour(start_time) AS hour, count() AS n, uniqExactState(run_id) AS runs, max(start_time) AS last,
	groupUniqArrayArray(100)(arrayMap(x -> splitByChar(':', x)[1], resources)) AS kinds, countIf(has(arrayMap(x -> splitByChar(':', x)[2], resources), '?')) AS hidden,
	countIf(attrs['amount'] != '') AS priced, max(toFloat64OrZero(attrs['amount'])) AS most, quantileExactStateIf(0.95)(toFloat64OrZero(attrs['amount']), attrs['amount'] != '') AS p95,
	sum(toFloat64OrZero(attrs['amount'])) AS hour_amount, sum(hour_amount) OVER (PARTITION BY method, route_key, tool_name, toDate(hour)) AS day_amount,
	groupUniqArrayIf(10)(attrs['currency'], attrs['currency'] != '') AS currencies
	FROM calls `+w.String()+` GROUP BY method, route_key, tool_name, effect, reversibility, hour
) GROUP BY method, route_key, tool_name, effect, reversibility
ORDER BY toInt8(reversibility) DESC, sum(n) DESC, method, route_key, tool_name, effect `+
		fmt.Sprintf("LIMIT %d", MaxUsage+1), w.params, func(r driver.Rows) error {
		var v UsageRow
		err := r.Scan(&v.Method, &v.Route, &v.RouteKey, &v.Tool, &v.Effect, &v.Reversibility, &v.Calls, &v.Runs, &v.LastAt.Time, &v.PeakHour,
			&v.ResourceTypes, &v.Hidden, &v.WithAmount, &v.MaxAmount, &v.P95Amount, &v.DayAmount, &v.Currencies)
		out = append(out, v)
		return err
	})
	return out, err
}

// UsageTotal sums a caller's calls over all routes.
type UsageTotal struct {
	Calls, Runs, Days          uint64
	PeakHour, PeakIrreversible uint64 // calls in the busiest hour, irreversible ones in the busiest day
}

// UsageTotals returns the sums of a caller's calls over all routes.
func UsageTotals(ctx context.Context, db DB, s Caller, since, until time.Time) (t UsageTotal, err error) {
	var w where
	w.between("start_time", "start_time", since, until)
	w.add("counted")
	s.into(&w, Window{since, until})
	err = each(ctx, db, "totals", `SELECT sum(n), uniqExactMerge(runs), uniqExact(toDate(hour)), max(n), max(day) FROM (
	SELECT toStartOfHour(start_time) AS hour, count() AS n, uniqExactState(run_id) AS runs, countIf(reversibility = 'irreversible') AS risky, sum(risky) OVER (PARTITION BY toDate(hour)) AS day
	FROM calls `+w.String()+` GROUP BY hour)`, w.params, func(r driver.Rows) error {
		return r.Scan(&t.Calls, &t.Runs, &t.Days, &t.PeakHour, &t.PeakIrreversible)
	})
	return t, err
}

// GateRow counts the gates for one route of an agent, by their results.
type GateRow struct {
	AgentID   string  `json:"agent_id"`
	Route     string  `json:"route"`
	Why       string  `json:"why"`
	Asked     uint64  `json:"asked"`
	Granted   uint64  `json:"granted"`
	Refused   uint64  `json:"refused"`
	TimedOut  uint64  `json:"timed_out"`
	Observed  uint64  `json:"would_have_asked"`
	ToYes     float64 `json:"seconds_to_yes_median"`
	MaxAmount float64 `json:"max_amount_granted,omitempty"`
	Currency  string  `json:"currency,omitempty"`
	Findings  uint64  `json:"findings_since"` // findings of the agent after the first gate
	LastAt    Time    `json:"last_at"`
}

// MaxGateRows bounds the pairs of agent and route of Gates, which returns one more if there are more.
const MaxGateRows = 1000

// Gates counts gates by agent and route, in descending order of their number.
func Gates(ctx context.Context, db DB, agent string, since, until time.Time) ([]GateRow, error) {
	var w where
	w.between("asked_at", "asked_at", since, until)
	if agent != "" {
		w.add("agent_id = {agent:String}", clickhouse.Named("agent", agent))
	}
	out := []GateRow{}
	err := each(ctx, db, "gates", `SELECT q.agent_id, q.route, any(q.why), countIf(q.mode = 'armed') AS asked, countIf(q.yes), countIf(q.no), countIf(q.late), countIf(q.mode != 'armed') AS observed,
ifNull(quantileExactIfOrNull(0.5)(q.waited, q.yes), 0), max(if(q.yes, q.most, 0)), max(q.cur), any(f.n), max(q.first)
FROM (SELECT agent_id, route, gate_id, any(why) AS why, any(mode) AS mode, max(state = 'granted') AS yes, max(state = 'refused') AS no, max(state = 'timed_out') AS late, min(asked_at) AS first,
	(maxIf(toUnixTimestamp64Nano(decided_at), state = 'granted') - toUnixTimestamp64Nano(min(asked_at))) / 1e9 AS waited, max(toFloat64OrZero(amount)) AS most, max(currency) AS cur
	FROM gates `+w.String()+` GROUP BY agent_id, route, gate_id) AS q
LEFT JOIN (SELECT agent_id, count() AS n FROM findings WHERE level >= 'alert' GROUP BY agent_id) AS f ON f.agent_id = q.agent_id
GROUP BY q.agent_id, q.route ORDER BY asked + observed DESC, q.agent_id, q.route `+
		fmt.Sprintf("LIMIT %d", MaxGateRows+1), w.params, func(r driver.Rows) error {
		var v GateRow
		err := r.Scan(&v.AgentID, &v.Route, &v.Why, &v.Asked, &v.Granted, &v.Refused, &v.TimedOut, &v.Observed,
			&v.ToYes, &v.MaxAmount, &v.Currency, &v.Findings, &v.LastAt.Time)
		out = append(out, v)
		return err
	})
	return out, err
}

// MaxAgentsOfCaller bounds the agents of AgentsOfCaller, which returns one more if there are more.
const MaxAgentsOfCaller = 100

// AgentsOfCaller returns the agents in the calls of a credential or a run.
func AgentsOfCaller(ctx context.Context, db DB, s Caller, since, until time.Time) ([]string, error) {
	var w where
	w.between("start_time", "start_time", since, until)
	s.into(&w, Window{since, until})
	var out []string
	err := each(ctx, db, "agents", `SELECT DISTINCT agent_id FROM calls `+w.String()+` ORDER BY agent_id `+fmt.Sprintf("LIMIT %d",
		MaxAgentsOfCaller+1), w.params, func(r driver.Rows) error {
		var v string
		err := r.Scan(&v)
		out = append(out, v)
		return err
	})
	return out, err
}
