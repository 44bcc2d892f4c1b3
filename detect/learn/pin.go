package learn

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/schema"
)

// pinned is how far everything is stored: below it no call of a partition is
// missing, and none will come. With a topic that was made again the offsets of the
// old one are below the higher of both.
const pinned = `SELECT calls_partition, toInt64(max(next_offset)) FROM progress GROUP BY calls_partition`

// Pin is the offset in each partition of flyball.calls below which calls are read.
// It holds all statements of a version together: what is stored while they run has
// a higher one. Without any, calls are bounded by their runs alone.
type Pin map[int32]int64

// stored is what is there, marked as whole or not.
const stored = `SELECT calls_partition, max(next) FROM (SELECT calls_partition, toInt64(next_offset) AS next FROM progress
  UNION ALL SELECT calls_partition, max(calls_offset) + 1 AS next FROM calls_store GROUP BY calls_partition) GROUP BY calls_partition`

// minStoredAge is the quarantine from which on the mark of the store, which follows the
// rows, is past everything that may teach. With a shorter one what is there counts
// whether it is marked or not.
const minStoredAge = 5 * time.Minute

// ReadPin reads the pin. It must be read before the runs are.
func ReadPin(ctx context.Context, db DB, quarantine time.Duration) (Pin, error) {
	query := pinned
	if quarantine < minStoredAge {
		query = stored
	}
	rows, err := db.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("ask how far calls are stored: %w", err)
	}
	defer rows.Close()
	out := Pin{}
	for rows.Next() {
		var part int32
		var next int64
		if err := rows.Scan(&part, &next); err != nil {
			return nil, fmt.Errorf("read how far calls are stored: %w", err)
		}
		out[part] = next
	}
	return out, rows.Err()
}

// only is the pin as a condition on calls, by the name that they have in a statement.
func (p Pin) only(calls string) string {
	if len(p) == 0 {
		return ""
	}
	var parts, offsets []string
	for _, part := range slices.Sorted(maps.Keys(p)) {
		parts, offsets = append(parts, fmt.Sprint(part)), append(offsets, fmt.Sprint(p[part]))
	}
	return fmt.Sprintf(" AND %scalls_offset < transform(%scalls_partition, [%s], CAST([%s], 'Array(Int64)'), toInt64(0))",
		calls, calls, strings.Join(parts, ","), strings.Join(offsets, ","))
}

// runsPerStatement is how many runs one statement reads the calls of.
const runsPerStatement = 2000

// SelectedRun is a run that is to be read.
type SelectedRun struct {
	StoredRun
	Agent   string // its key
	Alarmed bool
}

// ReadRuns reads the calls of runs below a pin, each as the steps that scoring would
// see. A run without any comes back without steps.
func ReadRuns(ctx context.Context, db DB, tenant string, callsPerRun int, pin Pin, runs []SelectedRun) ([]*baseline.TrainingRun, error) {
	runs = slices.Clone(runs)
	// In the order of the table: each statement reads its own part of it.
	slices.SortFunc(runs, func(a, b SelectedRun) int { return strings.Compare(a.ID, b.ID) })
	out := make([]*baseline.TrainingRun, 0, len(runs))
	for chunk := range slices.Chunk(runs, runsPerStatement) {
		ids, of := make([]string, len(chunk)), make(map[string]*baseline.TrainingRun, len(chunk))
		for i := range chunk {
			r := &chunk[i]
			ids[i] = "'" + r.ID + "'"
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
		list := strings.Join(ids, ",")
		picked := "SELECT r.run_id AS run_id, 'none' AS trust, '' AS agent, 'unknown' AS kind, '' AS task, false AS alarmed, " + scopeOf +
			" FROM (SELECT toUUID(arrayJoin([" + list + "])) AS run_id) AS r LEFT JOIN " + DeclaredTasksSQL(list) + " AS d USING (run_id)"
		w := Window{Tenant: tenant, CallsPerRun: callsPerRun, only: " AND c.run_id IN (" + list + ")" + pin.only("c.")}
		var run *baseline.TrainingRun
		var steps feature.RunMemory
		finish := func() {
			if run != nil {
				run.Resources, run.Usage = steps.Resources(), steps.Usage
			}
		}
		err := calls(ctx, db, picked, w, &scopeColumns{}, func(c *StoredCall) {
			if c.First {
				finish()
				run, steps = of[c.Run], feature.RunMemory{}
				run.Start = c.At.UnixNano()
			}
			run.Features = append(run.Features, steps.Add(&c.Input))
			run.Routes = append(run.Routes, c.Route)
			addToScope(run, c)
		})
		if err != nil {
			return nil, err
		}
		finish()
	}
	SetTaskTypes(out)
	return out, nil
}

// ReadCallsOfRun reads every stored call of one run, in the order in which they were scored.
func ReadCallsOfRun(ctx context.Context, db DB, tenant, run string, each func(*StoredCall)) error {
	if _, err := schema.ParseRunID(run); err != nil {
		return err
	}
	picked := "SELECT toUUID('" + run + "') AS run_id, 'none' AS trust, '' AS agent, 'unknown' AS kind, '' AS task, false AS alarmed"
	return calls(ctx, db, picked, Window{Tenant: tenant, CallsPerRun: math.MaxInt32, only: " AND c.run_id = '" + run + "'"}, nil, each)
}
