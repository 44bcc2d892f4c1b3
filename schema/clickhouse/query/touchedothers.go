package query

import (
	"context"
	"slices"
	"sort"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema/wording"
)

// loadBeside reads what others did in the traces of the subject, and for a resource who was denied everything.
func (t *Touched) loadBeside(ctx context.Context, db DB, own *where, look *firstLook, win Window) error {
	if t.Subject.Kind == "run" {
		return t.loadDownstream(ctx, db, t.Run, win)
	}
	if t.Subject.Kind == "resource" {
		if err := t.unlessExceeded("which runs were denied every attempt", t.loadDenied(ctx, db, win)); err != nil {
			return err
		}
	}
	return t.unlessExceeded("whether other runs share traces with these calls", t.checkDownstream(ctx, db, own, look))
}

// loadDownstream reads the calls that other services made in the run's traces. They belong to
// its touched set, unless their caller has a different identity. A call of the run that the
// called service also logged counts once, unless the second row names another resource.
func (t *Touched) loadDownstream(ctx context.Context, db DB, run *Run, win Window) error {
	linked, err := sharingTraces(ctx, db, run)
	if err != nil {
		return err
	}
	t.Caveats = append(t.Caveats, linked.caveats()...)
	if t.OtherCallers = linked.others; len(linked.others) > 0 {
		var n uint64
		for _, o := range linked.others {
			n += o.Calls
		}
		t.caveat("other_callers: %s of %s carry a trace id of this run under an identity of their own (%s); "+
			"they are not counted here, see other_callers and flyball touched of those runs",
			wording.Count(n, "call"), wording.Count(len(linked.others), "run"), strings.Join(namesOf(linked.others, 3), ", "))
	}
	if len(linked.behalf) == 0 {
		return nil
	}
	w := where{params: []any{named("tenant", run.Tenant), named("id", run.RunID)}}
	w.add("tenant = {tenant:String} AND " + callsOf(linked.refsOfBehalf()) + " AND trace_id IN (" + linked.traces.in() + ")")
	w.add("(trace_id, method, path, resources) NOT IN (SELECT trace_id, method, path, resources FROM calls WHERE " + callsOfRun(run) +
		" AND trace_id != '')")
	w.between("start_time", "start_time", win.Since, win.Until)
	if t.reach != nil {
		t.reach.linked = w.String()
		return t.countBehalf(ctx, db, &w)
	}
	tail, params := t.part.statement("''", "", true)
	sql := "WITH linked AS (SELECT * FROM calls " + w.String() + ") SELECT " + touchedGroups + `,
groupUniqArray(20)(multiIf(agent_source = 'trace_binding' AND observer != '',
observer, agent_id != '' AND NOT startsWith(agent_id, 'ip:'), agent_id, observer != '', observer, api != '', api, credential_id)) AS via
FROM linked WHERE counted OR record_id IN (` + unnamedDownstream + `)
GROUP BY resource, method, route, did, undo` + tail
	var list []TouchedResource
	err = each(ctx, db, "calls made on the run's behalf", sql, append(slices.Clone(w.params), params...), func(r driver.Rows) error {
		var via []string
		v, err := scanTouched(r, &via)
		sort.Strings(via)
		v.Via, v.behalf = via, true
		if err == nil && t.take != nil {
			t.count(v.Effect, v.Reversibility, v.Calls)
			return t.take(&v)
		}
		list = append(list, v)
		return err
	})
	t.Resources = append(t.Resources, list...)
	if err != nil || t.take != nil || t.part.after == nil && len(list) <= t.part.limit { // these are all
		for i := range list {
			t.count(list[i].Effect, list[i].Reversibility, list[i].Calls)
		}
		return err
	}
	return t.countBehalf(ctx, db, &w)
}

// countBehalf adds to the totals what was called on behalf of the run.
func (t *Touched) countBehalf(ctx context.Context, db DB, w *where) error {
	return each(ctx, db, "totals of calls made on the run's behalf", "WITH linked AS (SELECT * FROM calls "+w.String()+
		`) SELECT toString(effect) AS did, toString(reversibility) AS undo, sum(length(if(empty(resources), [''], resources)))
FROM linked WHERE counted OR record_id IN (`+unnamedDownstream+`) GROUP BY did, undo`, w.params, func(r driver.Rows) error {
		var effect, undo string
		var n uint64
		err := r.Scan(&effect, &undo, &n)
		t.count(effect, undo, n)
		return err
	})
}

// unnamedDownstream selects the record ids of rows of linked that do not count and have a resource that no
// row which counts names for the same run, method and path.
const unnamedDownstream = `SELECT record_id FROM (SELECT record_id, run_id, method, path,
arrayJoin(if(empty(resources), [''], resources)) AS named FROM linked WHERE NOT counted AND observer_kind != 'gate')
WHERE (run_id, method, path, named) NOT IN (SELECT run_id, method, path, arrayJoin(if(empty(resources), [''], resources))
FROM linked WHERE counted)`

// checkDownstream adds a caveat if other runs share traces with the subject's calls: only for one
// run the calls of its traces are read.
func (t *Touched) checkDownstream(ctx context.Context, db DB, own *where, look *firstLook) error {
	var n uint64
	if t.Calls == 0 || look.traces.none() {
		return nil
	}
	if look.traces.known && look.runs.known {
		own = &where{} // which names nothing of the statement
	}
	calls, err := callsWithTraces(ctx, db, look.traces, t.firstAt, t.lastAt)
	if err != nil {
		return err
	}
	sql := "SELECT uniqExact(run_id) FROM (" + calls + ") WHERE run_id NOT IN (" + look.runs.in() + ")"
	err = each(ctx, own.bind(db), "runs of the same traces", sql,
		append(slices.Clone(own.params), hoursAround(t.firstAt, t.lastAt)...), func(r driver.Rows) error { return r.Scan(&n) })
	if err != nil {
		return err
	}
	if n > 0 {
		t.caveat("linked_runs: %d other runs share traces with these calls, from an hour before the first to an hour after the last; what was "+
			"called on its behalf is read for one run at a time: flyball touched RUN", n)
	}
	if look.traces.known {
		return nil
	}
	var traces uint64
	if err := each(ctx, own.bind(db), "traces of these calls", "SELECT uniqExact(trace_id) FROM calls "+own.String()+" AND trace_id != ''",
		own.params, func(r driver.Rows) error { return r.Scan(&traces) }); err != nil {
		return err
	}
	if traces > maxSharedTraces {
		t.caveat("more_traces: these calls have %d traces; other runs were looked for in %d of them: ask about a shorter time (--since, "+
			"--until), or about one run at a time", traces, maxSharedTraces)
	}
	return nil
}
