package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// AskedGate is a question to a person about a call, in its newest state.
type AskedGate struct {
	ID, Tenant       string
	State            string // pending: nobody has answered yet
	Mode             string // observe: the call was not held
	AgentID, RunID   string
	Route, Resource  string
	Amount, Currency string
	Why, By, Reason  string
	AskedAt          time.Time
	Expires          time.Time // end of the question while it waits, then end of the answer; zero: none
	DecidedAt        time.Time // zero: not decided
}

// GateFilter limits gates; zero values do not limit.
type GateFilter struct {
	Agent        string
	Agents       Names  // beside Agent
	RunID        string // only questions about calls of this run, whenever they were asked
	Waiting      bool   // only those that nobody has answered and whose time is not over
	Since, Until time.Time
	Limit        int
}

// newestGates selects the newest state of each gate.
const newestGates = `SELECT tenant, gate_id, argMax(state, generation) AS newest, argMax(mode, generation) AS how,
argMax(agent_id, generation) AS agent, argMax(run_id, generation) AS run, argMax(route, generation) AS what,
argMax(resource, generation) AS thing, argMax(amount, generation) AS sum, argMax(currency, generation) AS unit,
argMax(why, generation) AS cause, argMax(by, generation) AS who, argMax(reason, generation) AS text, min(asked_at) AS asked,
argMax(expires_at, generation) AS until, argMax(decided_at, generation) AS decided
FROM gates %s GROUP BY tenant, gate_id`

// stillWaits is the condition on newestGates for a question that waits at the time of the parameter now.
const stillWaits = `newest = 'pending' AND how = 'armed' AND (toUnixTimestamp(until) = 0 OR until > fromUnixTimestamp64Nano({now:Int64}, 'UTC'))`

// AskedGates returns the questions that a filter selects: those that wait first, the one that has waited longest before the others,
// then the latest.
func AskedGates(ctx context.Context, db DB, f GateFilter, now time.Time) ([]AskedGate, error) {
	var rows, w where
	if !f.Waiting && f.RunID == "" { // a question that waits is shown whenever it was asked
		rows.between("asked_at", "asked_at", f.Since, f.Until)
	}
	w.params = append(rows.params, named("now", fmt.Sprint(now.UnixNano())))
	if f.Agent != "" {
		w.add("agent = {agent:String}", named("agent", f.Agent))
	}
	if f.RunID != "" {
		w.add("run = {run:UUID}", named("run", f.RunID))
	}
	f.Agents.into(&w, "agent", "agents")
	if f.Waiting {
		w.add(stillWaits)
	}
	out := []AskedGate{}
	sql := fmt.Sprintf(`SELECT gate_id, tenant, if(newest = 'pending' AND NOT (`+stillWaits+`) AND how = 'armed', 'timed_out', toString(newest)),
how, agent, toString(run), what, thing, sum, unit, cause, who, text, asked, until, decided FROM (`+newestGates+
		`) %s ORDER BY `+stillWaits+` DESC, if(`+stillWaits+`, toUnixTimestamp64Nano(asked), -toUnixTimestamp64Nano(asked)), gate_id LIMIT %d`,
		rows.String(), w.String(), f.Limit)
	return out, each(ctx, db, "gates", sql, w.params, func(r driver.Rows) error {
		var v AskedGate
		err := r.Scan(&v.ID, &v.Tenant, &v.State, &v.Mode, &v.AgentID, &v.RunID, &v.Route, &v.Resource, &v.Amount, &v.Currency, &v.Why, &v.By,
			&v.Reason, &v.AskedAt, &v.Expires, &v.DecidedAt)
		for _, at := range []*time.Time{&v.Expires, &v.DecidedAt} {
			if at.Unix() == 0 {
				*at = time.Time{}
			}
		}
		if v.RunID == noRun {
			v.RunID = ""
		}
		out = append(out, v)
		return err
	})
}

// CountGatesWaiting returns the number of questions that wait for a person, by agent.
func CountGatesWaiting(ctx context.Context, db DB, now time.Time) (map[string]uint64, error) {
	return counted(ctx, db, "gates", "SELECT agent, count() FROM ("+fmt.Sprintf(newestGates, "")+") WHERE "+stillWaits+" GROUP BY agent",
		[]any{named("now", fmt.Sprint(now.UnixNano()))})
}
