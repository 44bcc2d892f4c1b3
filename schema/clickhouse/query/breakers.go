package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// BreakerChange is a breaker's change to another state.
type BreakerChange struct {
	At           time.Time // by the log's clock
	State        string
	Mode         string
	Scope        string // kind and value: "run 0f1e…"
	AgentID      string
	RunID        string // empty: no run caused it
	Reason       string
	By           string
	Generation   uint64
	Irreversible uint64 // calls that passed between the onset and the trip
}

// BreakerFilter limits breaker changes; zero values do not limit.
type BreakerFilter struct {
	Agent        string
	Agents       Names // beside Agent
	Trips        bool  // only trips that were enforced, by a detector or a person
	Since, Until time.Time
	Limit        int
}

// BreakerHistory returns the changes of breakers, the latest first.
func BreakerHistory(ctx context.Context, db DB, f BreakerFilter) ([]BreakerChange, error) {
	var w where
	w.between("at", "at", f.Since, f.Until)
	if f.Agent != "" {
		w.add(agentOfBreaker+" = {agent:String}", named("agent", f.Agent))
	}
	f.Agents.into(&w, agentOfBreaker, "agents")
	if f.Trips {
		w.add("mode = 'armed' AND state IN ('open', 'forced_open')")
	}
	out := []BreakerChange{}
	sql := fmt.Sprintf(`SELECT at, toString(state), mode, concat(toString(scope_kind), ' ', scope_value), `+agentOfBreaker+` AS agent,
toString(run_id), reason, by,
generation, exposure_irreversible FROM breakers %s ORDER BY at DESC, generation DESC LIMIT %d`, w.String(), f.Limit)
	err := each(ctx, db, "breakers", sql, w.params, func(r driver.Rows) error {
		var v BreakerChange
		err := r.Scan(&v.At, &v.State, &v.Mode, &v.Scope, &v.AgentID, &v.RunID, &v.Reason, &v.By, &v.Generation, &v.Irreversible)
		if v.RunID == noRun {
			v.RunID = ""
		}
		out = append(out, v)
		return err
	})
	return out, err
}
