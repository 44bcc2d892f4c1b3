package query

import (
	"context"
	"slices"
	"sort"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema/wording"
)

// readBehalf reads the calls that other services made in the run's traces. They belong to its touched set, unless their caller has a
// different identity.
func (r *touchedReader) readBehalf(ctx context.Context) error {
	t := r.report
	linked, err := sharingTraces(ctx, r.db, t.Run)
	if err != nil {
		return err
	}
	t.OtherCallers = linked.others
	t.Caveats = append(append(t.Caveats, linked.caveats()...), otherCallersCaveats(linked.others)...)
	if len(linked.behalf) == 0 {
		return nil
	}
	calls := callsOnBehalf(t.Run, &linked, r.win)
	if r.reach != nil {
		r.reach.linked = calls.String()
		return r.countBehalf(ctx, calls)
	}
	return r.readBehalfResources(ctx, calls)
}

// otherCallersCaveats returns a sentence about the callers with a different identity in a run's traces, if there are any.
func otherCallersCaveats(others []OtherCaller) (out Caveats) {
	if len(others) == 0 {
		return nil
	}
	var n uint64
	for _, o := range others {
		n += o.Calls
	}
	out.add("other_callers: %s of %s carry a trace id of this run under an identity of their own (%s); "+
		"they are not counted here, see other_callers and flyball touched of those runs",
		wording.Count(n, "call"), wording.Count(len(others), "run"), strings.Join(namesOf(others, 3), ", "))
	return out
}

// callsOnBehalf returns the condition for the calls that linked runs made on behalf of a run in a time window. A call of the run that the
// called service also logged counts once, unless the second row names another resource.
func callsOnBehalf(run *Run, linked *linkedRuns, win Window) *where {
	w := where{params: []any{named("tenant", run.Tenant), named("id", run.RunID)}}
	w.add("tenant = {tenant:String} AND " + callsOf(linked.refsOfBehalf()) + " AND trace_id IN (" + linked.traces.in() + ")")
	w.add("(trace_id, method, path, resources) NOT IN (SELECT trace_id, method, path, resources FROM calls WHERE " + callsOfRun(run) +
		" AND trace_id != '')")
	w.between("start_time", "start_time", win.Since, win.Until)
	return &w
}

// readBehalfResources reads the resources of the calls on behalf of the run, and counts the calls.
func (r *touchedReader) readBehalfResources(ctx context.Context, calls *where) error {
	t, part := r.report, &r.page.part
	tail, params := part.statement("''", "", true)
	sql := "WITH linked AS (SELECT * FROM calls " + calls.String() + ") SELECT " + touchedGroups + `,
groupUniqArray(20)(multiIf(agent_source = 'trace_binding' AND observer != '',
observer, agent_id != '' AND NOT startsWith(agent_id, 'ip:'), agent_id, observer != '', observer, api != '', api, credential_id)) AS via
FROM linked WHERE counted OR record_id IN (` + unnamedDownstream + `)
GROUP BY resource, method, route, did, undo` + tail
	var list []TouchedResource
	err := each(ctx, r.db, "calls made on the run's behalf", sql, append(slices.Clone(calls.params), params...), func(row driver.Rows) error {
		var via []string
		v, err := scanTouched(row, &via)
		sort.Strings(via)
		v.Via, v.behalf = via, true
		if err == nil && r.take != nil {
			t.count(v.Effect, v.Reversibility, v.Calls)
			return r.take(&v)
		}
		list = append(list, v)
		return err
	})
	t.Resources = append(t.Resources, list...)
	if err != nil || r.take != nil || part.after == nil && len(list) <= part.limit { // these are all
		for i := range list {
			t.count(list[i].Effect, list[i].Reversibility, list[i].Calls)
		}
		return err
	}
	return r.countBehalf(ctx, calls)
}

// countBehalf adds to the totals what was called on behalf of the run.
func (r *touchedReader) countBehalf(ctx context.Context, calls *where) error {
	return each(ctx, r.db, "totals of calls made on the run's behalf", "WITH linked AS (SELECT * FROM calls "+calls.String()+
		`) SELECT toString(effect) AS did, toString(reversibility) AS undo, sum(length(if(empty(resources), [''], resources)))
FROM linked WHERE counted OR record_id IN (`+unnamedDownstream+`) GROUP BY did, undo`, calls.params, func(row driver.Rows) error {
		var effect, undo string
		var n uint64
		err := row.Scan(&effect, &undo, &n)
		r.report.count(effect, undo, n)
		return err
	})
}

// unnamedDownstream selects the record ids of rows of linked that do not count and have a resource that no
// row which counts names for the same run, method and path.
const unnamedDownstream = `SELECT record_id FROM (SELECT record_id, run_id, method, path,
arrayJoin(if(empty(resources), [''], resources)) AS named FROM linked WHERE NOT counted AND observer_kind != 'gate')
WHERE (run_id, method, path, named) NOT IN (SELECT run_id, method, path, arrayJoin(if(empty(resources), [''], resources))
FROM linked WHERE counted)`
