package clickhouse

import (
	"context"
	"fmt"
	"strconv"
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
	if o.Database == "" {
		o.Database = c.Database()
	}
	if strings.TrimSpace(o.Principal) == "" || o.Tenant == "" {
		return nil, fmt.Errorf("purge: a tenant and a principal are needed")
	}
	names, err := ask(ctx, c, "SELECT name FROM system.tables WHERE database = "+literal(o.Database))
	if err != nil {
		return nil, fmt.Errorf("purge: %w", err)
	}
	exists := map[string]bool{}
	for _, n := range names {
		exists[n[0]] = true
	}
	var out []PurgedTable
	steps := o.steps(exists)
	for _, s := range steps {
		if !exists[s.table] {
			continue
		}
		t := PurgedTable{Table: s.table, Held: s.held, Kept: s.held && o.KeepHolds}
		if t.Rows, err = CountRows(ctx, c, o.Target, s.table, s.where); err != nil {
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
		if out[i].Left, err = CountRows(ctx, c, o.Target, s.table, s.where); err != nil {
			return out, fmt.Errorf("purge: %w", err)
		}
	}
	return out, nil
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

// steps returns the conditions, in the order of deletion.
func (o *PurgeOptions) steps(exists map[string]bool) []purgeStep {
	r := rendering{Target: o.Target}
	tenant := "tenant = " + literal(o.Tenant)
	name := literal(o.Principal)
	named := tenant + " AND principal_id = " + name
	var runs, actors []string
	for _, t := range []string{RunsTable.name, LegacyRunsTable.name, HeldRunsTable.name} {
		if exists[t] {
			runs = append(runs, "SELECT run_id FROM "+r.Name(t)+" WHERE "+named)
		}
		if exists[t] && t != LegacyRunsTable.name {
			actors = append(actors, "SELECT actor_hash FROM "+r.Name(t)+" WHERE "+named)
		}
	}
	posted := "SELECT actor_hash FROM " + r.Name(PostingsTable.name) + " WHERE " + tenant + " AND kind = 'principal_id' AND value = " + name
	inRuns := "run_id IN (" + strings.Join(runs, " UNION ALL ") + ")"
	inActors := "actor_hash IN (" + strings.Join(append(actors, posted), " UNION ALL ") + ")"
	calls := tenant + " AND (principal_id = " + name + " OR principal_id = '' AND " + inRuns + ")"
	// touched are the touches of runs with such calls that no other call of the run makes.
	touched := func(view string) string {
		of := tenant + " AND run_id IN (SELECT run_id FROM " + r.Name(view) + " WHERE " + named + " UNION ALL " +
			strings.Join(runs, " UNION ALL ") + ")"
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

// Mention is a place where the name of a principal still occurs.
type Mention struct {
	Where string `json:"where"`
	Rows  uint64 `json:"rows"`
	Why   string `json:"why"` // why it stays, and what can be done
}

// mentions are places that are not about what was done on behalf of a principal, but may name it.
var mentions = []struct{ where, table, condition, why string }{
	{"audit entries", AuditTable.name, "position(subject, %[1]s) > 0 OR position(reason, %[1]s) > 0 OR by = %[1]s",
		"the audit trail is a chain of hashes that nobody shortens: an operator has written the name there"},
	{"calls of others, as a resource", CallsTable.name,
		"principal_id != %[1]s AND arrayExists(r -> endsWith(r, concat(':', %[1]s)), resources)",
		"others acted on it; the rows are kept as long as calls (clickhouse.retention)"},
	{"calls of others, in the chain of actors", CallsTable.name, "principal_id != %[1]s AND has(actor_chain, %[1]s)",
		"the rows are kept as long as calls (clickhouse.retention)"},
	{"questions to people", GatesTable.name, "position(resource, %[1]s) > 0 OR position(reason, %[1]s) > 0 OR by = %[1]s",
		"what people decided is kept for ever"},
	{"verdicts", VerdictHistoryTable.name, "position(why, %[1]s) > 0 OR by = %[1]s", "what people decided is kept for ever"},
	{"holds", HoldsTable.name, "position(why, %[1]s) > 0 OR by = %[1]s", "the reason of a hold is kept for ever"},
	{"baselines of agents", BaselinesTable.name, "position(body, %[1]s) > 0",
		"an agent has learned something with this name: flyball baselines reset AGENT learns it again from runs that are left"},
	{"dead letters", DeadLettersTable.name, "position(detail, %[1]s) > 0",
		"kept as long as runs; the records themselves for 14 days in Kafka"},
	{"summaries of findings about others", FindingsTable.name, "position(summary, %[1]s) > 0 OR position(evidence, %[1]s) > 0",
		"kept as long as runs (clickhouse.retention)"},
}

// Mentions returns the places where the name of a principal occurs beside the rows that Purge deletes.
func Mentions(ctx context.Context, c *Conn, tenant, principal string) (out []Mention, err error) {
	r := rendering{Target: Target{Database: c.Database()}}
	for _, m := range mentions {
		condition := "(" + fmt.Sprintf(m.condition, literal(principal)) + ")"
		if m.table != DeadLettersTable.name { // which are of no tenant
			condition += " AND tenant = " + literal(tenant)
		}
		text, err := c.QueryText(ctx, "SELECT count() FROM "+r.Name(m.table)+" WHERE "+condition)
		if err != nil {
			return nil, fmt.Errorf("mentions in %s: %w", m.table, err)
		}
		n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("mentions in %s: %w", m.table, err)
		}
		if n > 0 {
			out = append(out, Mention{m.where, n, m.why})
		}
	}
	return out, nil
}
