package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// HeldScope is a scope whose breaker is not closed.
type HeldScope struct {
	Kind, Value string // of the scope
	Tenant      string
	State       string    // open, half_open, forced_open
	AgentID     string    // empty: the scope is of no known agent
	RunID       string    // empty: no run caused it
	HeldSince   time.Time // first change since the scope was last closed
	Since       time.Time // last change
	Expires     time.Time // zero: until somebody resets it
	Mode        string
	Action      string
	Origin, By  string
	Reason, Why string
	FindingID   string
	Generation  uint64
	Stopped     uint64 // calls that were denied since HeldSince; only of scopes that are a run or an agent
}

// HeldFilter limits held scopes; zero values do not limit.
type HeldFilter struct {
	Agent  string
	Agents Names  // beside Agent
	RunID  string // only scopes that this run caused to be held
	Limit  int
}

// agentOfBreaker is the agent of a row of breakers: for a breaker on an agent or on a version of it, which may have no agent of its
// own, that of the scope.
const agentOfBreaker = `multiIf(agent_id != '', agent_id, scope_kind = 'agent', scope_value, scope_kind = 'version',
substring(scope_value, 1, length(scope_value) - position(reverse(scope_value), '@')), '')`

// heldNow selects the newest generation of each scope, if it holds at the time of the parameter now: enforce's fold of
// flyball.commands gives the same. A trip that is recorded and not enforced changes no breaker. An open breaker whose time is over
// becomes half-open or closed by a record of its own, which has a later generation.
const heldNow = `SELECT tenant, scope_kind, scope_value, argMax(state, generation) AS newest, argMax(` + agentOfBreaker + `, generation) AS agent,
argMax(run_id, generation) AS run, max(at) AS since, argMax(expires_at, generation) AS until, argMax(mode, generation) AS how,
argMax(action, generation) AS did, argMax(origin, generation) AS source, argMax(by, generation) AS who, argMax(reason, generation) AS text,
argMax(why, generation) AS cause, argMax(finding_id, generation) AS finding, max(generation) AS last,
minIf(at, generation > closed_before) AS held_since
FROM (SELECT *, maxIf(generation, state = 'closed') OVER (PARTITION BY tenant, scope_kind, scope_value) AS closed_before
FROM breakers WHERE mode = 'armed')
GROUP BY tenant, scope_kind, scope_value HAVING newest != 'closed'
AND (toUnixTimestamp(until) = 0 OR until > fromUnixTimestamp64Nano({now:Int64}, 'UTC') OR newest = 'open' AND did = 'deny')`

// Held returns the scopes that are held at a time, the latest first.
func Held(ctx context.Context, db DB, f HeldFilter, now time.Time) ([]HeldScope, error) {
	out := []HeldScope{}
	var w where
	w.params = append(w.params, named("now", fmt.Sprint(now.UnixNano())))
	if f.Agent != "" {
		w.add("agent = {agent:String}", named("agent", f.Agent))
	}
	if f.RunID != "" {
		w.add("run = {run:UUID}", named("run", f.RunID))
	}
	f.Agents.into(&w, "agent", "agents")
	sql := fmt.Sprintf(`SELECT tenant, scope_kind, scope_value, toString(newest), agent, toString(run), held_since, since, until, how, did, source,
who, text, cause, finding, last FROM (%s) %s ORDER BY last DESC, tenant, scope_kind, scope_value LIMIT %d`, heldNow, w.String(), f.Limit)
	err := each(ctx, db, "held scopes", sql, w.params, func(r driver.Rows) error {
		var v HeldScope
		err := r.Scan(&v.Tenant, &v.Kind, &v.Value, &v.State, &v.AgentID, &v.RunID, &v.HeldSince, &v.Since, &v.Expires, &v.Mode, &v.Action,
			&v.Origin, &v.By, &v.Reason, &v.Why, &v.FindingID, &v.Generation)
		if v.RunID == noRun {
			v.RunID = ""
		}
		if v.Expires.Unix() == 0 {
			v.Expires = time.Time{}
		}
		out = append(out, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, countStopped(ctx, db, out)
}

// noRun is the run id of rows without a run.
const noRun = "00000000-0000-0000-0000-000000000000"

// CountHeld returns the number of held scopes by agent at a time; the agent of a scope of no agent is empty.
func CountHeld(ctx context.Context, db DB, now time.Time) (map[string]uint64, error) {
	return counted(ctx, db, "held scopes", "SELECT agent, count() FROM ("+heldNow+") GROUP BY agent",
		[]any{named("now", fmt.Sprint(now.UnixNano()))})
}

// counted returns a number by a text.
func counted(ctx context.Context, db DB, what, sql string, params []any) (map[string]uint64, error) {
	out := map[string]uint64{}
	return out, each(ctx, db, what, sql, params, func(r driver.Rows) error {
		var name string
		var n uint64
		err := r.Scan(&name, &n)
		out[name] += n
		return err
	})
}

// countStopped sets the number of calls that were denied since a scope is held, for those of which a run is known. Who denied them is not
// asked: many a gateway logs the status alone.
func countStopped(ctx context.Context, db DB, held []HeldScope) error {
	var ids []string
	first := time.Time{}
	for i := range held {
		if held[i].RunID == "" {
			continue
		}
		ids = append(ids, held[i].RunID)
		if first.IsZero() || held[i].HeldSince.Before(first) {
			first = held[i].HeldSince
		}
	}
	if len(ids) == 0 {
		return nil
	}
	refs, err := refsOf(ctx, db, ids)
	if err != nil {
		return err
	}
	stopped := map[string]uint64{}
	for list := range listed(refs) {
		n, err := counted(ctx, db, "stopped calls", "SELECT toString(run_id), count() FROM calls WHERE counted AND outcome = 'denied' AND "+
			callsOf(list)+" AND start_time >= fromUnixTimestamp64Nano({first:Int64}, 'UTC') GROUP BY run_id",
			[]any{named("first", fmt.Sprint(first.UnixNano()))})
		if err != nil {
			return err
		}
		for run, k := range n {
			stopped[run] += k
		}
	}
	for i := range held {
		held[i].Stopped = stopped[held[i].RunID]
	}
	return nil
}
