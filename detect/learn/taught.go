package learn

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/scope"
)

// Limits of one statement that reads the calls of selected runs.
const (
	runsPerStatement  = 10_000
	callsPerStatement = 400_000 // stored calls, of which a run may have more than are read
)

// Limits of what one version is learned from (adr/0002).
const (
	maxTaughtRuns  = 60_000
	maxTaughtCalls = 1_000_000
)

// dayMargin is how much earlier and later than a run says its calls are looked for.
const dayMargin = time.Hour

// SelectedRun is a run whose calls ReadRuns reads.
type SelectedRun struct {
	StoredRun
	Agent   string // key of the agent
	Alarmed bool
}

// ReadRuns reads the calls of runs below a pin and computes the features that scoring uses. A run without stored calls is
// returned without features. The result is sorted by run id.
func ReadRuns(ctx context.Context, db DB, w Window, pin Pin, runs []SelectedRun) ([]*baseline.TrainingRun, error) {
	return readRuns(ctx, db, w, pin, runs, nil)
}

// readRuns is ReadRuns; it calls done, unless it is nil, with the share of the runs that were read.
func readRuns(ctx context.Context, db DB, w Window, pin Pin, runs []SelectedRun, done func(share float64)) (
	[]*baseline.TrainingRun, error) {
	db = Quietly(db)
	confirmed, err := confirmedScopes(ctx, db, w.Tenant)
	if err != nil {
		return nil, err
	}
	legacy, err := hasLegacyTables(ctx, db)
	if err != nil {
		return nil, err
	}
	runs = slices.Clone(runs)
	// In the order of the table, so that each statement reads few parts of it.
	slices.SortFunc(runs, inTableOrder)
	out := make([]*baseline.TrainingRun, 0, len(runs))
	of, names := make(map[string]*baseline.TrainingRun, runsPerStatement), map[string]string{}
	for chunk := range chunksOf(runs) {
		clear(of)
		for i := range chunk {
			r := &chunk[i]
			of[r.ID] = &baseline.TrainingRun{
				ID:        r.ID,
				Agent:     r.Agent,
				Group:     r.Group,
				Task:      r.Task,
				TaskTrust: r.TaskTrust,
				Version:   r.Version,
				LastAt:    r.At,
				Alarmed:   r.Alarmed,
				Benign:    r.Benign,
			}
			out = append(out, of[r.ID])
		}
		read := reading{of: of, confirmed: confirmed, names: names}
		only := selectedCalls(chunk, legacy) + " AND (" + taught + " OR " + declaresTask + ")" + pin.only("c.")
		if err := calls(ctx, db, w, source{only: only, more: &scopeColumns{}}, read.add); err != nil {
			return nil, err
		}
		read.finish()
		if done != nil {
			done(float64(len(out)) / float64(len(runs)))
		}
	}
	slices.SortFunc(out, func(a, b *baseline.TrainingRun) int { return strings.Compare(a.ID, b.ID) })
	SetTaskTypes(out)
	return out, nil
}

// reading collects the calls of runs.
type reading struct {
	of        map[string]*baseline.TrainingRun
	confirmed map[string]bool
	names     map[string]string // each name of a route once: most calls have one of few
	run       *baseline.TrainingRun
	steps     feature.RunMemory
	declared  string
}

func (r *reading) add(c *StoredCall) {
	if c.First {
		r.finish()
		r.run, r.steps, r.declared = r.of[c.Run], feature.RunMemory{}, ""
	}
	if c.Declared != "" {
		r.declared = max(r.declared, c.Declared)
		return
	}
	name, known := r.names[c.Route]
	if !known {
		name = c.Route
		r.names[name] = name
	}
	run := r.run
	if run.Scope == nil {
		run.Start = c.At.UnixNano()
		run.Scope = &scope.TrainingRun{ID: run.ID, Agent: run.Agent, Group: run.Group, ConfirmedBenign: r.confirmed[run.ID]}
	}
	run.Features = append(run.Features, r.steps.Add(&c.Input))
	run.Routes = append(run.Routes, name)
	addToScope(run, c, name)
}

// finish ends the run whose calls were added last.
func (r *reading) finish() {
	if r.run == nil || r.run.Scope == nil {
		return
	}
	r.run.Resources, r.run.Usage, r.run.Scope.Declared = r.steps.Resources(), r.steps.Usage, r.declared
	r.run.Features, r.run.Routes = slices.Clip(r.run.Features), slices.Clip(r.run.Routes)
}

// inTableOrder orders runs as the tables do.
func inTableOrder(a, b SelectedRun) int {
	return cmp.Or(cmp.Compare(a.Actor, b.Actor), strings.Compare(a.ID, b.ID))
}

// chunksOf divides runs into lists that one statement reads.
func chunksOf(runs []SelectedRun) iter.Seq[[]SelectedRun] {
	return func(yield func([]SelectedRun) bool) {
		for len(runs) > 0 {
			n, stored := 0, uint64(0)
			for n < min(len(runs), runsPerStatement) && (n == 0 || stored+runs[n].Calls <= callsPerStatement) {
				stored += runs[n].Calls
				n++
			}
			if !yield(runs[:n]) {
				return
			}
			runs = runs[n:]
		}
	}
}

// selectedCalls returns an SQL condition: the row is of one of the runs. It also names their actors and days, by which
// the table is ordered. legacy says that tables of schema version 4 are there: their calls have the actor_hash 0.
func selectedCalls(runs []SelectedRun, legacy bool) string {
	var ids, actors []string
	first, last := runs[0].StartedAt, runs[0].At
	for i := range runs {
		r := &runs[i]
		ids = append(ids, "'"+r.ID+"'")
		if i == 0 || r.Actor != runs[i-1].Actor {
			actors = append(actors, fmt.Sprint(r.Actor))
		}
		first, last = min(first, r.StartedAt), max(last, r.At)
	}
	out := fmt.Sprintf("c.run_id IN (%s) AND c.start_time >= fromUnixTimestamp64Nano(toInt64(%d), 'UTC') AND "+
		"c.start_time <= fromUnixTimestamp64Nano(toInt64(%d), 'UTC')", strings.Join(ids, ","), first-int64(dayMargin), last+int64(dayMargin))
	if legacy {
		actors = append(actors, "0")
	}
	return out + " AND c.actor_hash IN (" + strings.Join(actors, ",") + ")"
}
