package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// linksOf returns the runs that are related to a run: its parent, its children, and those that share its traces. left says
// which were not read.
func linksOf(ctx context.Context, db DB, run *Run) (out []LinkedRun, left []string, err error) {
	out, left, err = childrenOf(ctx, db, run)
	if err != nil {
		return nil, nil, err
	}
	if run.ParentRunID != "" {
		out = append(out, LinkedRun{run.ParentRunID, "parent"})
	}
	linked, err := sharingTraces(ctx, db, run)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range linked.behalf {
		out = append(out, LinkedRun{id, linkedByTrace})
	}
	for _, o := range linked.others {
		if l := (LinkedRun{o.RunID, linkedOfAnother}); !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out, append(left, linked.caveats()...), nil
}

// childrenOf returns the runs that a run started. The states tell whether there are any, and most runs have none; the view of runs, which
// costs more, tells of which of them this run is the parent.
func childrenOf(ctx context.Context, db DB, run *Run) (out []LinkedRun, left []string, err error) {
	out = []LinkedRun{}
	params := []any{named("id", run.RunID)}
	const children = "FROM run_states WHERE parent_run_id = {id:UUID}"
	var some uint8
	if err := each(ctx, db, "whether the run has children", "SELECT count() > 0 "+children, params, func(r driver.Rows) error {
		return r.Scan(&some)
	}); err != nil || some == 0 {
		return out, nil, err
	}
	err = each(ctx, db, "children of the run", `SELECT toString(run_id) FROM runs WHERE parent_run_id = {id:UUID}
AND (tenant, actor_hash, run_id) IN (SELECT tenant, actor_hash, run_id `+children+
		") ORDER BY run_id LIMIT "+fmt.Sprint(maxChildren+1), params,
		func(r driver.Rows) error {
			l := LinkedRun{How: "child"}
			err := r.Scan(&l.RunID)
			out = append(out, l)
			return err
		})
	if len(out) > maxChildren {
		out = out[:maxChildren]
		left = append(left, fmt.Sprintf("more_children: the run has more children than %d; the others are not listed", maxChildren))
	}
	return out, left, err
}

// maxChildren is the maximum number of children of a run that are listed.
const maxChildren = 1000

// TraceLink is a linked run of a trace.
type TraceLink struct {
	RankedRun
	How string // as in LinkedRun; several are separated by commas
}

// maxTraceLinks is the maximum number of linked runs of a trace.
const maxTraceLinks = 50

// linkBounds are those of the statements about linked runs: without an answer, a trace has the calls of its run alone.
var linkBounds = Bounds{Time: 10 * time.Second, Memory: 1 << 30}

// readLinks reads the linked runs, those that did most that cannot be undone first. Without an answer within the bounds, they are
// not known.
func (t *RunTrace) readLinks(ctx context.Context, db DB, run *Run) error {
	ctx = WithBounds(ctx, linkBounds)
	links, left, err := linksOf(ctx, db, run)
	more := len(left) > 0
	if err != nil || len(links) == 0 {
		t.LinksUnknown = err != nil
		return exceptExceeded(err)
	}
	how := map[string]string{}
	var ids []string
	for _, l := range links {
		if how[l.RunID] == "" {
			ids = append(ids, l.RunID)
		}
		how[l.RunID] = strings.TrimPrefix(how[l.RunID]+", "+l.How, ", ")
	}
	const most = 1000 // of those that are compared
	more = more || len(ids) > most
	runs, err := runsWithID(ctx, db, ids[:min(len(ids), most)])
	if err == nil {
		runs = slices.DeleteFunc(runs, func(r Run) bool { return r.Tenant != run.Tenant })
		slices.SortStableFunc(runs, func(a, b Run) int {
			return cmp.Or(cmp.Compare(levelRank(b.Level), levelRank(a.Level)), cmp.Compare(b.Irreversible, a.Irreversible))
		})
		t.MoreLinks = more || len(runs) > maxTraceLinks
		var ranked []RankedRun
		ranked, err = RunsWithOutcomes(ctx, db, runs[:min(len(runs), maxTraceLinks)])
		for i := range ranked {
			t.Links = append(t.Links, TraceLink{ranked[i], how[ranked[i].RunID]})
		}
	}
	t.LinksUnknown = err != nil
	return exceptExceeded(err)
}
