package query

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// selection selects runs, those with the latest last call first. A run is put together from its stored states by the view
// runs, which costs more than to read a state: states are selected first.
type selection struct {
	states where  // conditions on run_states: every run that is meant has a state that meets all of them
	window where  // conditions on run_states for those in the time window
	level  string // condition that any state of the run meets, also one outside the window; empty: none
	rare   bool   // level is selected by hasRareState
	// group is the condition on all states of a run that meet the first; empty: none.
	group string
	// run is the condition on the view runs for what a later state can take back; empty: nothing can.
	run   string
	since time.Time // earliest last call of a run; zero: any
	until time.Time // no run is later; zero: any
	// found is set if the conditions find their rows by an index, whatever the time.
	found bool
	limit int
	page  bool   // also look whether there are more
	after *place // the runs after this one
	order string // ORDER BY of the states in place of the last call; the selection then does not page
}

// place is a place in a list that is ordered by time, the latest first, and then by id.
type place struct {
	at time.Time
	id string
}

// afterPlace is the condition for the runs after a place, whose parameters params returns.
const afterPlace = "(at < fromUnixTimestamp64Nano({after:Int64}, 'UTC') OR at = fromUnixTimestamp64Nano({after:Int64}, 'UTC') " +
	"AND run_id > {after_id:UUID})"

func (p *place) params() []any {
	return []any{named("after", fmt.Sprint(p.at.UnixNano())), named("after_id", p.id)}
}

// refs selects the places of at most n runs after one.
func (s *selection) refs(ctx context.Context, db DB, n int, after *place) (out []runRef, err error) {
	newest := s.until
	switch {
	case after != nil:
		newest = after.at
	case newest.IsZero() && !s.found:
		if newest, err = newestStored(ctx, db); err != nil {
			return out, err
		}
	}
	if s.found {
		newest = time.Time{} // all at once
	}
	return out, backwards(newest, s.since, func(from time.Time) (bool, error) {
		sql, params := s.statement(n, after, from)
		var err error
		out, err = readRefs(ctx, db, "runs", sql, params)
		return len(out) >= n, err
	})
}

// statement selects the places of at most n runs with calls since a time.
func (s *selection) statement(n int, after *place, from time.Time) (sql string, params []any) {
	w := where{conditions: slices.Clone(s.window.conditions), params: slices.Clone(s.window.params)}
	if !from.IsZero() {
		w.add("last_at >= fromUnixTimestamp64Nano({from:Int64}, 'UTC')", named("from", fmt.Sprint(from.UnixNano())))
	}
	window := slices.Clone(w.conditions)
	w.conditions = append(w.conditions, s.states.conditions...)
	w.params = append(w.params, s.states.params...)
	switch {
	case s.level == "":
	case s.rare:
		w.add(hasRareState(s.level, window))
	default:
		w.add(hasState(s.level))
	}
	var having where
	if s.group != "" {
		having.add(s.group)
	}
	order := s.order
	if order == "" {
		order = "at DESC, run_id"
	}
	if after != nil {
		having.add(afterPlace)
		w.params = append(w.params, after.params()...)
	}
	return "SELECT tenant, actor_hash AS actor, run_id, max(last_at) AS at FROM run_states " + w.String() +
		" GROUP BY tenant, actor_hash, run_id " + strings.Replace(having.String(), "WHERE", "HAVING", 1) +
		fmt.Sprintf(" ORDER BY %s LIMIT %d", order, n), w.params
}

// read reads the selected runs, and the place after which there are more; nil: there are no more.
func (s *selection) read(ctx context.Context, db DB) (out []Run, more *place, err error) {
	out = []Run{}
	after := s.after
	n := s.limit
	if s.page {
		n++ // to know whether there are more
	}
	for ; ; n *= 2 {
		refs, err := s.refs(ctx, db, n, after)
		if err != nil {
			return nil, nil, err
		}
		runs, err := readRuns(ctx, db, refs, s.run, s.states.params)
		if err != nil {
			return nil, nil, err
		}
		byID := make(map[[2]string]*Run, len(runs))
		for i := range runs {
			byID[[2]string{runs[i].Tenant, runs[i].RunID}] = &runs[i]
		}
		for i := range refs {
			v := byID[[2]string{refs[i].tenant, refs[i].id}]
			if v == nil {
				continue
			}
			if len(out) == s.limit {
				last := &refs[i-1]
				return out, &place{last.at, last.id}, nil
			}
			out = append(out, *v)
		}
		if len(refs) < n || s.order != "" || !s.page && len(out) == s.limit {
			return out, nil, nil
		}
		last := &refs[len(refs)-1]
		after = &place{last.at, last.id}
	}
}

// readRuns reads runs, as far as they meet a condition on the view runs; empty: all. Each run has the state of the breaker
// that it caused, or the mode of a trip that was not enforced.
func readRuns(ctx context.Context, db DB, refs []runRef, condition string, params []any) (out []Run, err error) {
	if condition != "" {
		condition = " AND " + condition
	}
	for list := range listed(refs) {
		sql := "SELECT " + runColumns + " FROM (SELECT * FROM runs WHERE " + runsOf(list) + condition +
			") AS r LEFT JOIN (" + fmt.Sprintf(breakersOfRuns, idsOf(list)) + ") AS b USING (run_id)"
		if err := each(ctx, db, "runs", sql, params, func(r driver.Rows) error {
			v, err := scanRun(r)
			out = append(out, v)
			return err
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// breakersOfRuns selects the latest state of the breakers that runs caused.
const breakersOfRuns = `SELECT run_id, if(argMax(mode, generation) = 'armed', toString(argMax(state, generation)), argMax(mode,
generation)) AS latest FROM breakers WHERE %s GROUP BY run_id`

// runsWithID reads the runs with some ids, those with the latest last call first.
func runsWithID(ctx context.Context, db DB, ids []string) ([]Run, error) {
	refs, err := refsOf(ctx, db, ids)
	if err != nil {
		return nil, err
	}
	out, err := readRuns(ctx, db, refs, "", nil)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b Run) int {
		if x := b.LastAt.Compare(a.LastAt.Time); x != 0 {
			return x
		}
		return strings.Compare(a.RunID, b.RunID)
	})
	return out, nil
}
