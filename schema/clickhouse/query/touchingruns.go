package query

import (
	"context"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// TouchingRun describes a run in a report on a touched set.
type TouchingRun struct {
	Run
	Findings []RunFinding `json:"findings"`
}

// RunFinding is a finding of a run in short.
type RunFinding struct {
	ID      string `json:"finding_id"`
	Family  string `json:"family"`
	Level   string `json:"level"`
	State   string `json:"state"`
	Summary string `json:"summary"`
}

// maxDescribedRuns is the maximum number of runs that a report describes.
const maxDescribedRuns = 200

// runsOfResources reads the runs of resources, in the order of the resources, with their findings. known is a run that was read already;
// nil: none.
func runsOfResources(ctx context.Context, db DB, resources []TouchedResource, known *Run) ([]TouchingRun, error) {
	out := []TouchingRun{}
	var ids []string
	var refs []runRef
	at := map[string]int{}
	for i := range resources {
		r := &resources[i]
		for k, id := range r.Runs {
			n, seen := at[id]
			switch {
			case seen:
				refs[n].actor = max(refs[n].actor, r.actors[k])
			case len(ids) < maxDescribedRuns:
				at[id] = len(ids)
				ids, refs = append(ids, id), append(refs, runRef{actor: r.actors[k], id: id})
			}
		}
	}
	if len(ids) == 0 {
		return out, nil
	}
	var runs []Run
	if known != nil {
		runs = append(runs, *known)
		refs = slices.DeleteFunc(refs, func(r runRef) bool { return r.id == known.RunID })
	}
	others, err := runsAt(ctx, db, refs)
	if err != nil {
		return out, err
	}
	runs = append(runs, others...)
	described := make([]*TouchingRun, len(ids))
	for _, r := range runs {
		if i, ok := at[r.RunID]; ok {
			described[i] = &TouchingRun{Run: r, Findings: []RunFinding{}}
		}
	}
	err = each(ctx, db, "findings of the runs", "SELECT toString(run_id), finding_id, family, toString(level), state, summary FROM findings "+
		"WHERE run_id IN ("+uuids(ids)+") ORDER BY level DESC, updated_at DESC, finding_id LIMIT 1000", nil, func(r driver.Rows) error {
		var id string
		var f RunFinding
		err := r.Scan(&id, &f.ID, &f.Family, &f.Level, &f.State, &f.Summary)
		if i, ok := at[id]; ok && described[i] != nil {
			described[i].Findings = append(described[i].Findings, f)
		}
		return err
	})
	for _, d := range described {
		if d != nil {
			out = append(out, *d)
		}
	}
	return out, err
}

// runsAt reads runs, in no order. The calls of a run have the actor of the run: where it is known, the run is not looked for by its id
// alone, for which all days are read whose filter does not rule out one of the ids.
func runsAt(ctx context.Context, db DB, refs []runRef) ([]Run, error) {
	known, unknown := slices.Clone(refs), []string(nil)
	known = slices.DeleteFunc(known, func(r runRef) bool {
		if r.actor == 0 {
			unknown = append(unknown, r.id)
		}
		return r.actor == 0
	})
	out, err := readRuns(ctx, db, known, "", nil)
	if err != nil || len(unknown) == 0 {
		return out, err
	}
	others, err := runsWithID(ctx, db, unknown)
	return append(out, others...), err
}
