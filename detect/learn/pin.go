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

// pinned selects up to which offset all calls of a partition are stored. Below it no call is missing, and none is added
// later. After the topic was deleted and created again, the result is the higher offset of both topics.
const pinned = `SELECT calls_partition, toInt64(max(next_offset)) FROM progress GROUP BY calls_partition`

// Pin holds for each partition of flyball.calls the offset below which calls are read. With it, all statements of a
// version read the same calls: calls that are stored meanwhile have higher offsets. An empty Pin sets no limit.
type Pin map[int32]int64

// stored selects up to which offset calls are in the table, complete or not.
const stored = `SELECT calls_partition, max(next) FROM (SELECT calls_partition, toInt64(next_offset) AS next FROM progress
  UNION ALL SELECT calls_partition, max(calls_offset) + 1 AS next FROM calls_v5 GROUP BY calls_partition) GROUP BY calls_partition`

// minStoredAge is the quarantine from which on the store has recorded its progress for all calls that are learned from;
// it records progress after it has inserted the rows. With a shorter quarantine, ReadPin uses the stored rows as well.
const minStoredAge = 5 * time.Minute

// ReadPin reads the pin. It must be called before the runs are read.
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

// only returns the pin as an SQL condition on calls. calls is the prefix of the columns, such as "c.".
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

// runsPerStatement is the maximum number of runs whose calls one statement reads.
const runsPerStatement = 2000

// SelectedRun is a run whose calls ReadRuns reads.
type SelectedRun struct {
	StoredRun
	Agent   string // key of the agent
	Alarmed bool
}

// ReadRuns reads the calls of runs below a pin and computes the features that scoring uses. A run without stored calls is
// returned without features. The result is sorted by run id.
func ReadRuns(ctx context.Context, db DB, tenant string, callsPerRun int, pin Pin, runs []SelectedRun) ([]*baseline.TrainingRun, error) {
	runs = slices.Clone(runs)
	// Sorted as the table is, so that each statement reads one part of the table.
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
