package clickhouse

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Unmerged is what the engine still has to do in the background on stored rows. No answer differs until then; questions cost more.
type Unmerged struct {
	Days    uint64 // of tables, for which nothing has been stored for mergeAfter seconds, and that have several parts
	Bytes   uint64 // of all of these
	Largest uint64 // bytes of the largest of them: as much must be free on the disk
	Free    uint64 // bytes on the server's disk
	Parts   uint64 // that wait for an index that a migration added
}

// ReadUnmerged reads what the server of a connection still has to do.
func ReadUnmerged(ctx context.Context, c *Conn, t Target) (u Unmerged, err error) {
	if t.Database == "" {
		t.Database = c.Database()
	}
	r := rendering{Target: t}
	var tables []string
	for _, name := range slices.Sorted(maps.Keys(storages)) {
		if slices.Contains(storages[name].settings, mergedDays[0]) {
			tables = append(tables, literal(r.local(name)))
		}
	}
	rows, err := ask(ctx, c, fmt.Sprintf(`SELECT count(), sum(bytes), max(bytes), (SELECT min(free_space) FROM system.disks), (SELECT
toUInt64(sum(parts_to_do)) FROM system.mutations WHERE database = %[1]s AND NOT is_done AND %[2]s) FROM (SELECT sum(bytes_on_disk) AS bytes
FROM system.parts WHERE active AND database = %[1]s AND table IN (%[3]s) GROUP BY table, partition_id
HAVING count() > 1 AND max(modification_time) < now() - %[4]d)`, literal(t.Database), indexMutation, strings.Join(tables, ", "),
		mergeAfter))
	if err != nil {
		return u, fmt.Errorf("what is not merged of %s: %w", t.Database, err)
	}
	if len(rows) != 1 || len(rows[0]) != 5 {
		return u, fmt.Errorf("what is not merged of %s: %q", t.Database, rows)
	}
	for i, into := range []*uint64{&u.Days, &u.Bytes, &u.Largest, &u.Free, &u.Parts} {
		if *into, err = strconv.ParseUint(rows[0][i], 10, 64); err != nil {
			return u, fmt.Errorf("what is not merged of %s: %w", t.Database, err)
		}
	}
	return u, nil
}

// Short reports whether the largest day cannot be merged, because the disk has not as much free space.
func (u Unmerged) Short() bool { return u.Days > 0 && u.Free < u.Largest+u.Largest/10 }

// indexMutation is the condition on system.mutations for the changes that only make an index for stored parts.
const indexMutation = "command LIKE '%MATERIALIZE INDEX%'"
