package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// PurgedTable is what a purge does with one table.
type PurgedTable struct {
	Table   string `json:"table"`
	Rows    uint64 `json:"rows"`    // that name the principal, or are only about what was done on its behalf
	Removed uint64 `json:"removed"` // 0: nothing was changed
	Left    uint64 `json:"left"`    // after the purge: written meanwhile, or kept by a hold
	Held    bool   `json:"held"`    // copies of held runs
	Kept    bool   `json:"kept"`    // by a hold: nothing is removed
}

// PurgeOptions say whose rows are deleted.
type PurgeOptions struct {
	Target
	Tenant, Principal string
	KeepHolds         bool // leave the copies of held runs
	Plan              bool // only count
	// Step is called before each table; nil: nobody is told.
	Step func(table string)
}

// purgeStep is a condition for the rows of a table.
type purgeStep struct {
	table, where string
	held         bool
}

// Purge deletes the rows of a principal: calls that name it and those without a name in its runs, its runs, what is stored about these, and
// the index entries that lead only there. The order of the tables makes it possible to begin again after an interruption: the runs, by
// which the other rows are found, come last. Rows that are written meanwhile stay: PurgedTable.Left counts them.
func Purge(ctx context.Context, c *Conn, o PurgeOptions) ([]PurgedTable, error) {
	exists, err := o.complete(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("purge: %w", err)
	}
	var out []PurgedTable
	steps := o.steps(exists)
	for _, s := range steps {
		if !exists[s.table] {
			continue
		}
		t := PurgedTable{Table: s.table, Held: s.held, Kept: s.held && o.KeepHolds}
		if t.Rows, err = countRows(ctx, c, o.Target, s.table, s.where); err != nil {
			return out, fmt.Errorf("purge: %w", err)
		}
		t.Left = t.Rows
		if t.Rows > 0 && !t.Kept && !o.Plan {
			if o.Step != nil {
				o.Step(s.table)
			}
			if err := deletePurged(ctx, c, o.Target, s); err != nil {
				return out, fmt.Errorf("purge: %w; run the same command again", err)
			}
			t.Removed = t.Rows
		}
		out = append(out, t)
	}
	if o.Plan {
		return out, nil
	}
	for i, s := range withTables(steps, exists) {
		if out[i].Left, err = countRows(ctx, c, o.Target, s.table, s.where); err != nil {
			return out, fmt.Errorf("purge: %w", err)
		}
	}
	return out, nil
}

// complete sets the database and returns the tables that it has.
func (o *PurgeOptions) complete(ctx context.Context, c *Conn) (exists map[string]bool, err error) {
	if o.Database == "" {
		o.Database = c.Database()
	}
	if strings.TrimSpace(o.Principal) == "" || o.Tenant == "" {
		return nil, errors.New("a tenant and a principal are needed")
	}
	names, err := ask(ctx, c, "SELECT name FROM system.tables WHERE database = "+literal(o.Database))
	exists = map[string]bool{}
	for _, n := range names {
		exists[n[0]] = true
	}
	return exists, err
}

func withTables(steps []purgeStep, exists map[string]bool) (out []purgeStep) {
	for _, s := range steps {
		if exists[s.table] {
			out = append(out, s)
		}
	}
	return out
}

func deletePurged(ctx context.Context, c *Conn, t Target, s purgeStep) error {
	sql := "ALTER TABLE " + rendering{Target: t}.Table(s.table) + " DELETE WHERE " + s.where +
		" SETTINGS mutations_sync = 2, allow_nondeterministic_mutations = 1"
	if err := c.RunStatement(ctx, sql); err != nil {
		return fmt.Errorf("delete rows of %s: %w", s.table, err)
	}
	return nil
}

// named is the condition for rows of the principal.
func (o *PurgeOptions) named() string {
	return "tenant = " + literal(o.Tenant) + " AND principal_id = " + literal(o.Principal)
}

// runs selects the ids of the runs of the principal.
func (o *PurgeOptions) runs(exists map[string]bool) string {
	var runs []string
	for _, t := range []string{RunsTable.name, LegacyRunsTable.name, HeldRunsTable.name} {
		if exists[t] {
			runs = append(runs, "SELECT run_id FROM "+rendering{Target: o.Target}.Name(t)+" WHERE "+o.named())
		}
	}
	return strings.Join(runs, " UNION ALL ")
}

// inRuns is the condition for rows of the runs of the principal.
func (o *PurgeOptions) inRuns(exists map[string]bool) string {
	return "run_id IN (" + o.runs(exists) + ")"
}

// steps returns the conditions, in the order of deletion.
func (o *PurgeOptions) steps(exists map[string]bool) []purgeStep {
	r := rendering{Target: o.Target}
	tenant, name, named := "tenant = "+literal(o.Tenant), literal(o.Principal), o.named()
	var actors []string
	for _, t := range []string{RunsTable.name, HeldRunsTable.name} {
		if exists[t] {
			actors = append(actors, "SELECT actor_hash FROM "+r.Name(t)+" WHERE "+named)
		}
	}
	posted := "SELECT actor_hash FROM " + r.Name(PostingsTable.name) + " WHERE " + tenant + " AND kind = 'principal_id' AND value = " + name
	inRuns := o.inRuns(exists)
	inActors := "actor_hash IN (" + strings.Join(append(actors, posted), " UNION ALL ") + ")"
	calls := tenant + " AND (principal_id = " + name + " OR principal_id = '' AND " + inRuns + ")"
	// touched are the touches of runs with such calls that no other call of the run makes.
	touched := func(view string) string {
		of := tenant + " AND run_id IN (SELECT run_id FROM " + r.Name(view) + " WHERE " + named + " UNION ALL " +
			o.runs(exists) + ")"
		return of + " AND (run_id, resource) NOT IN (SELECT run_id, arrayJoin(resources) FROM " + r.Name(view) + " WHERE " + of + " AND NOT (" +
			calls + "))"
	}
	// An entry of an index leads to an actor and a day: it goes if the actor has no other calls on that day.
	entries := tenant + " AND " + inActors + " AND (actor_hash, day) NOT IN (SELECT actor_hash, toDate(start_time) FROM " +
		r.Name(CallsTable.name) + " WHERE " + tenant + " AND " + inActors + ")"
	ofRuns := tenant + " AND " + inRuns
	return []purgeStep{
		{TouchesTable.name, touched("calls"), false}, {LegacyTouchesTable.name, touched("calls"), false},
		{HeldTouchesTable.name, touched("held_calls"), true},
		{ScoresTable.name, ofRuns, false}, {HeldScoresTable.name, ofRuns, true},
		{FindingsTable.name, ofRuns, false}, {HeldFindingsTable.name, ofRuns, true},
		{DecisionsTable.name, ofRuns, false}, {HeldDecisionsTable.name, ofRuns, true},
		{CallsTable.name, calls, false}, {LegacyCallsTable.name, calls, false}, {HeldCallsTable.name, calls, true},
		{LegacyTraceCallsTable.name, ofRuns, false},
		{CallIDsTable.name, entries, false},
		{PostingsTable.name, "(" + entries + ") OR " + tenant + " AND kind = 'principal_id' AND value = " + name, false},
		{BreakersTable.name, tenant + " AND scope_kind = 'principal' AND scope_value = " + name, false},
		{BaselinesTable.name, tenant + " AND name IN (" + name + ", concat('~', " + name + "))", false},
		{RunsTable.name, named, false}, {LegacyRunsTable.name, named, false}, {HeldRunsTable.name, named, true},
	}
}
