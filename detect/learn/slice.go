package learn

import (
	"context"
	"fmt"
	"strings"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"flyball/schema/clickhouse"
)

// Slice is a part of the stored runs with all their rows and calls. The history is read slice by slice, so that the
// memory of a statement does not grow with the history. Tables are ordered by actor and run, so a slice is one range of
// each part of a table, and each row is read once.
type Slice struct {
	from, to uint64 // actor_hash, to excluded
	// part of parts: a range of run ids, if the actors alone have more than one slice should.
	part, parts int
	legacy      legacyRows
	people      bool   // there may be sessions in people's names
	stored      uint64 // calls, or callsOfState for each state of a run if that is more
}

// legacyRows says what is in the tables of schema version 4, whose calls have the actor_hash 0.
type legacyRows uint8

const (
	legacyNone legacyRows = iota
	// legacyOlder: the last calls of their runs are older than the window. Slices are ranges of actors, and runs are read
	// from runs_v5 alone: all states of a run are in one of both tables. Of calls those with actor_hash 0 belong to each
	// slice, because the check may have stored a row there before the log's row of the same call.
	legacyOlder
	// legacyRecent: there are such runs in the window. Slices are ranges of run ids.
	legacyRecent
)

const (
	// callsPerSlice are the stored calls of a slice of which only runs or counts are read. Each statement reads a granule of every part of
	// a table besides its slice: with half as many calls learning takes a third more CPU (adr/0002). A stored state of a run counts as
	// callsOfState calls at least, because what a statement needs most memory for is the runs that it groups.
	callsPerSlice = 1_500_000
	callsOfState  = 4
	sliceCells    = 4096 // ranges of actor_hash by which slices are planned
	sliceWidth    = (1 << 32) / sliceCells
)

// legacyTablesThere selects whether tables of schema version 4 are there. Their rows are ordered by run alone.
const legacyTablesThere = `SELECT count() FROM system.tables WHERE database = currentDatabase() AND name IN ('runs_store', 'calls_store')`

// legacyRunsThere selects whether runs in the tables of schema version 4 have calls after a time.
const legacyRunsThere = `SELECT count() FROM (SELECT 1 FROM runs_store WHERE tenant = {tenant:String}
  AND last_at > fromUnixTimestamp64Nano({since:Int64}, 'UTC') LIMIT 1)`

// cellsOfRuns counts the stored calls of runs by range of actor_hash; the second %d is callsOfState. Rows of a run that were not merged yet
// are counted twice, which makes slices smaller.
const cellsOfRuns = `SELECT intDiv(actor_hash, %d) AS cell, greatest(sum(calls), %d * count()),
  countIf(caller_kind = 'human' OR principal_kind = 'human') > 0
  FROM runs_v5 WHERE tenant = {tenant:String} AND
  last_at > fromUnixTimestamp64Nano({since:Int64}, 'UTC') GROUP BY cell ORDER BY cell`

// planSlices divides the stored runs of a tenant into slices with about the given number of calls since a time.
func planSlices(ctx context.Context, db DB, w Window, calls uint64) ([]Slice, error) {
	params := []any{driver.Named("tenant", w.Tenant), driver.Named("since", fmt.Sprint(w.Since.UnixNano()))}
	legacy, err := readLegacy(ctx, db, params)
	if err != nil {
		return nil, err
	}
	if legacy == legacyRecent {
		var all uint64
		allCalls := fmt.Sprintf("SELECT greatest(sum(calls), %d * count()) FROM runs WHERE tenant = {tenant:String} "+
			"AND last_at > fromUnixTimestamp64Nano({since:Int64}, 'UTC')", callsOfState)
		if err := each(ctx, db, "the sizes of runs", allCalls, params, func(scan func(...any) error) error { return scan(&all) }); err != nil {
			return nil, err
		}
		return splitRuns(Slice{to: 1 << 32, legacy: legacy, people: true, stored: all}, calls), nil
	}
	cells := make([]sliceCell, sliceCells)
	err = each(ctx, db, "the sizes of runs", fmt.Sprintf(cellsOfRuns, sliceWidth, callsOfState), params, func(scan func(...any) error) error {
		var cell uint32
		var c sliceCell
		if err := scan(&cell, &c.calls, &c.people); err != nil {
			return err
		}
		cells[cell] = c
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := mergeCells(cells, calls)
	for i := range out {
		out[i].legacy = legacy
	}
	return out, nil
}

// readLegacy reads what is in the tables of schema version 4.
func readLegacy(ctx context.Context, db DB, params []any) (legacyRows, error) {
	if there, err := hasLegacyTables(ctx, db); err != nil || !there {
		return legacyNone, err
	}
	var recent uint64
	err := each(ctx, db, "the runs of the previous schema", legacyRunsThere, params,
		func(scan func(...any) error) error { return scan(&recent) })
	if recent > 0 {
		return legacyRecent, err
	}
	return legacyOlder, err
}

// hasLegacyTables reports whether tables of schema version 4 are there.
func hasLegacyTables(ctx context.Context, db DB) (bool, error) {
	var n uint64
	err := each(ctx, db, "the tables", legacyTablesThere, nil, func(scan func(...any) error) error { return scan(&n) })
	return n > 0, err
}

// sliceCell is a range of actor_hash.
type sliceCell struct {
	calls  uint64
	people bool
}

// mergeCells makes slices of neighbouring cells with about so many calls. A cell that has more is divided by run ids.
func mergeCells(cells []sliceCell, calls uint64) (out []Slice) {
	next := Slice{}
	end := func(to int) {
		if next.to = uint64(to) * sliceWidth; next.to > next.from {
			out = append(out, splitRuns(next, calls)...)
		}
		next = Slice{from: next.to}
	}
	for i, c := range cells {
		if next.stored > 0 && next.stored+c.calls > calls {
			end(i)
		}
		next.stored += c.calls
		next.people = next.people || c.people
	}
	end(len(cells))
	return out
}

// splitRuns divides a slice by run ids into slices with about so many calls.
func splitRuns(s Slice, calls uint64) (out []Slice) {
	parts := int(min(s.stored/max(calls, 1)+1, sliceCells))
	if s.stored <= calls {
		parts = 1
	}
	for part := range parts {
		one := s
		one.part, one.parts, one.stored = part, parts, s.stored/uint64(parts)
		out = append(out, one)
	}
	return out
}

// calls returns an SQL condition on calls: they may be of a run of the slice. prefix is that of the columns, such as "c.".
func (s *Slice) calls(prefix string) string {
	actors := s.actors(prefix)
	if len(actors) > 0 && s.legacy == legacyOlder {
		actors = []string{"(" + strings.Join(actors, " AND ") + " OR " + prefix + "actor_hash = 0)"}
	}
	return and(append(actors, s.runIDs(prefix)...))
}

// actors returns the limits of the actors of the slice.
func (s *Slice) actors(prefix string) (all []string) {
	if s.from > 0 {
		all = append(all, fmt.Sprintf("%sactor_hash >= %d", prefix, s.from))
	}
	if s.to < 1<<32 {
		all = append(all, fmt.Sprintf("%sactor_hash < %d", prefix, s.to))
	}
	return all
}

// runIDs returns the limits of the run ids of the slice.
func (s *Slice) runIDs(prefix string) (all []string) {
	if s.part > 0 {
		all = append(all, fmt.Sprintf("%srun_id >= toUUID('%s')", prefix, s.bound(s.part)))
	}
	if s.part < s.parts-1 {
		all = append(all, fmt.Sprintf("%srun_id < toUUID('%s')", prefix, s.bound(s.part+1)))
	}
	return all
}

// and returns the conjunction of SQL conditions.
func and(all []string) string {
	if len(all) == 0 {
		return "true"
	}
	return strings.Join(all, " AND ")
}

// bound returns the run id at which a part begins. Both halves of it are the same, because which half ClickHouse
// compares first does not matter then.
func (s *Slice) bound(part int) string {
	const steps = 1 << 16
	h := fmt.Sprintf("%04x%012x", part*steps/s.parts, 0)
	return h[:8] + "-" + h[8:12] + "-" + h[12:] + "-" + h[:4] + "-" + h[4:]
}

// sameActors reports whether another slice has the same actors.
func (s *Slice) sameActors(o *Slice) bool {
	return s.from == o.from && s.to == o.to && s.legacy == o.legacy
}

// runs returns a subquery for the runs of the slice.
func (s *Slice) runs() string {
	from := "runs"
	if s.legacy == legacyOlder {
		from = "(" + clickhouse.CurrentRuns() + ")"
	}
	return "(SELECT * FROM " + from + " WHERE tenant = {tenant:String} AND " + and(append(s.actors(""), s.runIDs("")...)) + ")"
}

// each runs a statement and calls row for each of its rows; what names the rows in errors.
func each(ctx context.Context, db DB, what, sql string, params []any, row func(scan func(...any) error) error) error {
	rows, err := db.Query(ctx, sql, params...)
	if err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return fmt.Errorf("read %s: %w", what, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	return nil
}
