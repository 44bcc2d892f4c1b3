package query

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// hasState is the condition on run_states for the runs of which any state meets a condition. The segments of a run have states
// of their own: the one with the level may have closed before the window, and the one that says who the agent is, or that the
// run is open, may have begun after it.
func hasState(condition string) string {
	return "(tenant, actor_hash, run_id) IN (SELECT tenant, actor_hash, run_id FROM run_states WHERE " + condition + ")"
}

// ofAgent limits a selection to the runs of which any state meets a condition on its agent. The states of nearly all runs name one agent:
// where few runs have a state in the window that does not meet it, the others of their states are looked at, and not those of all runs.
func (s *selection) ofAgent(ctx context.Context, db DB, actors, condition string) error {
	condition = "(" + actors + condition + ")"
	if len(s.window.conditions) == 0 {
		s.states.add(hasState(condition))
		return nil
	}
	in := strings.Join(s.window.conditions, " AND ")
	params := append(slices.Clone(s.window.params), s.states.params...)
	differ, all, err := statesOfRuns(ctx, db, in+" AND "+actors+"NOT "+condition, params)
	switch {
	case err != nil:
		return err
	case !all:
		s.states.add(hasState(condition))
		return nil
	case len(differ) > 0:
		if differ, _, err = statesOfRuns(ctx, db, runsOf(differ)+" AND "+condition, params); err != nil {
			return err
		}
	}
	if len(differ) > 0 {
		condition = "(" + condition + " OR " + runsOf(differ) + ")"
	}
	s.states.add(condition)
	return nil
}

// statesOfRuns returns the runs that have a state with which a condition is met, as many as a statement lists, and whether these are all.
func statesOfRuns(ctx context.Context, db DB, condition string, params []any) (refs []runRef, all bool, err error) {
	sql := fmt.Sprintf("SELECT DISTINCT tenant, actor_hash AS actor, run_id, toDateTime64(0, 9, 'UTC') AS at FROM run_states "+
		"WHERE %s LIMIT %d", condition, maxListedRuns+1)
	refs, err = readRefs(ctx, db, "states of runs", sql, params)
	return refs, len(refs) <= maxListedRuns, err
}

// hasRareState is hasState for states of a time window that is a large part of all, and a condition that few states meet: not every state
// is looked for among the runs that have such a state, but only the others of runs that have one outside the window. It selects the same
// runs by fewer of their states, if no other condition leaves out single states of the window: max(last_at) is not that of the run.
func hasRareState(condition string, window []string) string {
	if len(window) == 0 {
		return condition
	}
	return "(" + condition + " OR " + hasState(condition+" AND NOT ("+strings.Join(window, " AND ")+")") + ")"
}

// actorsOf returns the condition on run_states for the actors that made calls with a name that fits, to be followed by others; empty: any
// actor, because runs without a name fit, for which there is no posting.
func (n Names) actorsOf(kind, param string) string {
	if len(n) == 0 || n.Fit("") {
		return ""
	}
	var w where
	n.into(&w, "value", param)
	return "posted_actor IN (SELECT toUInt32(0) UNION ALL SELECT actor_hash FROM postings WHERE kind = '" + kind + "' AND " +
		strings.Join(w.conditions, " AND ") + ") AND "
}

// allOf returns the conjunction of conditions, after that on the actors; empty: there are none.
func allOf(actors string, conditions []string) string {
	if len(conditions) == 0 {
		return ""
	}
	return "(" + actors + strings.Join(conditions, " AND ") + ")"
}

// mostOfStored is how many times as long as a window everything that is stored may be, so that to look for the runs of all states in the
// window costs more than to read the states outside of it.
const mostOfStored = 7

// isMostOfStored reports whether a window is a large part of the time of the stored runs.
func isMostOfStored(ctx context.Context, db DB, since, until time.Time) (most bool, err error) {
	if since.IsZero() {
		return true, nil
	}
	err = each(ctx, db, "days of the runs", "SELECT min(opened_day), max(opened_day) FROM runs_v5", nil, func(r driver.Rows) error {
		var first, last time.Time
		err := r.Scan(&first, &last)
		last = last.AddDate(0, 0, 1)
		if until.IsZero() || until.After(last) {
			until = last
		}
		most = until.After(since) && last.Sub(first) < mostOfStored*until.Sub(since)
		return err
	})
	return most, err
}
