package learn

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"flyball/schema"
)

// pinned selects up to which offset all calls of a partition are stored. Below it no call is missing, and none is added
// later. After the topic was deleted and created again, the result is the higher offset of both topics.
const pinned = `SELECT calls_partition, toInt64(max(next_offset)) FROM progress GROUP BY calls_partition`

// Pin holds for each partition of flyball.calls the offset below which calls are read. With it, all statements of a
// version read the same calls: calls that are stored meanwhile have higher offsets. An empty Pin sets no limit.
type Pin map[int32]int64

// stored selects up to which offset calls are in the tables, complete or not. The tables are read without FINAL, which
// does not change a maximum: it would read all keys.
const stored = `SELECT calls_partition, max(next) FROM (SELECT calls_partition, toInt64(next_offset) AS next FROM progress
  UNION ALL SELECT calls_partition, max(calls_offset) + 1 AS next FROM merge(currentDatabase(), '^calls_(v5|store)$')
    GROUP BY calls_partition) GROUP BY calls_partition`

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

// ReadCallsOfRun reads every stored call of one run, in the order in which they were scored.
func ReadCallsOfRun(ctx context.Context, db DB, tenant, run string, each func(*StoredCall)) error {
	if _, err := schema.ParseRunID(run); err != nil {
		return err
	}
	only := "c.run_id = '" + run + "' AND " + taught
	return calls(ctx, db, Window{Tenant: tenant, CallsPerRun: math.MaxInt32}, source{only: only}, each)
}
