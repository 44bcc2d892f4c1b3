package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// legacyTables are the tables of schema version 4 that have successors. They are no longer made, except for rows
// that version 4 wrote to the journal, or that belong to what it had begun: those of a run that it opened.
var legacyTables = map[string]bool{LegacyCallsTable.name: true, LegacyRunsTable.name: true, LegacyTouchesTable.name: true,
	LegacyTraceCallsTable.name: true, LegacyStitchingTable.name: true}

// IsLegacy reports whether a table is one of schema version 4 that has a successor. It exists only while it has rows;
// MigrateOptions.Make makes it.
func IsLegacy(table string) bool { return legacyTables[table] }

// legacyQuiet is for how long no table of version 4 was made before empty ones are dropped. It is longer than the
// journal is kept, so that tables are not dropped and made again all the time.
const legacyQuiet = 7 * 24 * time.Hour

// expiredStep is the reason of a step that drops a table of version 4.
const expiredStep = "expired"

// kept returns the tables of schema version 4 that the database has, or should have: a table that is missing and was
// not dropped is damage.
func (l *liveSchema) kept() map[string]bool {
	out := map[string]bool{}
	for name := range legacyTables {
		_, taken := l.sums[name]
		if l.columns[name] != nil || taken && l.whys[name] != expiredStep {
			out[name] = true
		}
	}
	return out
}

// withoutLegacy returns the steps that drop the tables of version 4 if all of them are empty, and removes them from
// r, so that the views no longer read them. A row that arrives for a table that was dropped makes it again
// (MigrateOptions.Make), so that it need not be known that none will come.
func (l *liveSchema) withoutLegacy(ctx context.Context, c *Conn, o MigrateOptions, r *rendering) ([]Migration, error) {
	if len(r.keeps) == 0 || o.Retention == nil || o.Make != "" || l.made.IsZero() || o.Now.Sub(l.made) < legacyQuiet {
		return nil, nil
	}
	all, err := r.steps()
	if err != nil {
		return nil, err
	}
	var drops []Migration
	for _, s := range all {
		if !r.keeps[s.Name] {
			continue
		}
		if l.columns[s.Name] == nil {
			return nil, nil
		}
		rows, err := c.QueryText(ctx, "SELECT count() FROM "+r.Name(s.Name))
		if err != nil {
			return nil, fmt.Errorf("count the rows of %s: %w", s.Name, err)
		}
		if rows != "0\n" {
			return nil, nil
		}
		s.Why, s.Sum = expiredStep, ""
		// A row may have been stored since they were counted.
		s.Statements = []string{"DROP TABLE IF EXISTS IF EMPTY " + r.Table(s.Name) + " SYNC"}
		if o.Cluster != "" { // without the Distributed table no row is stored any more, and those that were are not dropped
			s.Statements = slices.Insert(s.Statements, 0, "DROP TABLE IF EXISTS "+r.Name(s.Name)+r.onCluster()+" SYNC")
		}
		drops = append(drops, s)
	}
	r.keeps = map[string]bool{}
	return drops, nil
}
