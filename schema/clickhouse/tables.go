package clickhouse

import (
	"fmt"
	"sync"

	"flyball/schema"
)

// Table is a table with rows that are made from values of type T.
type Table[T any] struct {
	name    string
	shard   string // expression that distributes rows over the shards of a cluster
	columns func() []column[T]
	takes   func(*T) bool // reports whether a value becomes a row; nil: all values
}

// The tables. Rows that replace each other or are merged are on the same shard.
var (
	CallsTable = &Table[schema.Call]{name: "calls_v5", shard: "sipHash64(run_id)", columns: callsColumns}
	RunsTable  = &Table[schema.RunSnapshot]{name: "runs_v5", shard: "sipHash64(run_id)", columns: runsColumns}
	// TouchesTable is the index from resources to runs.
	TouchesTable = &Table[schema.Touch]{name: "touches_v5", shard: "sipHash64(resource)", columns: touchesColumns}
	// PostingsTable is the index from the names and addresses of callers to days and actors.
	PostingsTable = &Table[schema.Posting]{name: "postings", shard: "sipHash64(value)", columns: postingsColumns}
	// CallIDsTable is the index from trace ids and request ids to days and actors.
	CallIDsTable = &Table[schema.CallID]{name: "call_ids", shard: "sipHash64(id)", columns: callIDsColumns}
	// MinutesTable counts calls by minute, HoursTable by agent and hour.
	MinutesTable = &Table[schema.MinuteCount]{name: "minutes", shard: "calls_partition", columns: minutesColumns}
	HoursTable   = &Table[schema.HourCount]{name: "hours", shard: "sipHash64(agent_id)", columns: hoursColumns}
	// StitchingTable counts calls by the rule that bound them.
	StitchingTable = &Table[schema.StitchingCount]{name: "stitching_v5", shard: "sipHash64(producer)", columns: stitchingColumns}

	// The tables of schema version 4. A database that had them keeps them until their rows have expired: the
	// rest of what version 4 had begun is written to them, so that a row and its repeat are in one table. The
	// views read both.
	LegacyCallsTable   = &Table[schema.Call]{name: "calls_store", shard: "sipHash64(run_id)", columns: legacyCallsColumns}
	LegacyRunsTable    = &Table[schema.RunSnapshot]{name: "runs_store", shard: "sipHash64(run_id)", columns: legacyRunsColumns}
	LegacyTouchesTable = &Table[schema.Touch]{name: "touches_store", shard: "sipHash64(resource)", columns: legacyTouchesColumns}
	// LegacyTraceCallsTable is the index from traces to the runs with calls of a trace, by hour.
	LegacyTraceCallsTable = &Table[schema.Call]{name: "trace_calls", shard: "sipHash64(trace_id)", columns: traceCallsColumns,
		takes: hasTrace}
	// LegacyStitchingTable has counts that are identified by the offsets that they cover.
	LegacyStitchingTable = &Table[schema.StitchingCount]{name: "stitching_store", shard: "sipHash64(producer)",
		columns: legacyStitchingColumns}

	DeadLettersTable = &Table[DeadLetter]{name: "dead_letters_store", shard: "sipHash64(dead_offset)", columns: deadLettersColumns}
	// ScoresTable has a row for each increase of a run's score.
	ScoresTable = &Table[schema.Score]{name: "scores_store", shard: "sipHash64(run_id)", columns: scoresColumns}
	// FindingsTable has a row for each version of a finding.
	FindingsTable  = &Table[schema.Finding]{name: "findings_store", shard: "sipHash64(finding_id)", columns: findingsColumns}
	DecisionsTable = &Table[schema.Decision]{name: "decisions_store", shard: "sipHash64(decision_id)", columns: decisionsColumns}
	// BreakersTable has a row for each state of a breaker.
	BreakersTable = &Table[schema.Breaker]{name: "breakers_store", shard: "sipHash64(scope_value)", columns: breakersColumns}
	// GatesTable has a row for each state of a gate.
	GatesTable = &Table[schema.Gate]{name: "gates_store", shard: "sipHash64(gate_id)", columns: gatesColumns}
	// VerdictsTable has verdicts; the latest on a finding applies.
	VerdictsTable = &Table[schema.Verdict]{name: "verdicts_store", shard: "sipHash64(finding_id)", columns: verdictsColumns}
	// VerdictHistoryTable has every verdict, also those that a later one on the same finding replaced.
	VerdictHistoryTable = &Table[schema.Verdict]{name: "verdict_history_store", shard: "sipHash64(finding_id)", columns: verdictsColumns}
	// AuditTable is the hash-chained audit trail.
	AuditTable = &Table[schema.AuditEntry]{name: "audit_store", shard: "seq", columns: auditColumns}
	// BaselinesTable has a row for each agent of a baseline version.
	BaselinesTable = &Table[schema.BaselineRow]{name: "baselines_store", shard: "sipHash64(name)", columns: baselinesColumns}
	// BaselineOrdersTable has orders; the latest of each agent and kind applies.
	BaselineOrdersTable = &Table[schema.BaselineOrder]{name: "baseline_orders_store", shard: "sipHash64(agent)",
		columns: baselineOrdersColumns}
	// LogLossesTable has the losses of records that readers of topics noticed.
	LogLossesTable = &Table[schema.LogLoss]{name: "log_losses_store", shard: "sipHash64(topic)", columns: logLossesColumns}
	// HoldsTable has the holds on runs and their releases; the latest of each run applies.
	HoldsTable = &Table[schema.Hold]{name: "holds_store", shard: "sipHash64(run_id)", columns: holdsColumns}
	// The held tables have copies of the rows of held runs. No row of them expires.
	HeldCallsTable     = &Table[schema.Call]{name: "held_calls_store", shard: "sipHash64(run_id)", columns: callsColumns}
	HeldRunsTable      = &Table[schema.RunSnapshot]{name: "held_runs_store", shard: "sipHash64(run_id)", columns: runsColumns}
	HeldTouchesTable   = &Table[schema.Touch]{name: "held_touches_store", shard: "sipHash64(resource)", columns: touchesColumns}
	HeldScoresTable    = &Table[schema.Score]{name: "held_scores_store", shard: "sipHash64(run_id)", columns: scoresColumns}
	HeldFindingsTable  = &Table[schema.Finding]{name: "held_findings_store", shard: "sipHash64(finding_id)", columns: findingsColumns}
	HeldDecisionsTable = &Table[schema.Decision]{name: "held_decisions_store", shard: "sipHash64(decision_id)", columns: decisionsColumns}
	// ProgressTable has, for each partition of flyball.calls, the offset up to which all is stored.
	ProgressTable = &Table[Progress]{name: "progress", shard: "calls_partition", columns: progressColumns}
)

// TableSpec is the definition of a table in the DDL.
type TableSpec struct {
	Name    string
	Columns []ColumnSpec // in order
	shard   string
}

// Tables returns the specifications of all tables.
func Tables() []TableSpec {
	return []TableSpec{
		CallsTable.spec(), RunsTable.spec(), TouchesTable.spec(), PostingsTable.spec(), CallIDsTable.spec(), MinutesTable.spec(),
		HoursTable.spec(), StitchingTable.spec(), LegacyCallsTable.spec(), LegacyRunsTable.spec(), LegacyTouchesTable.spec(),
		LegacyTraceCallsTable.spec(), LegacyStitchingTable.spec(), DeadLettersTable.spec(),
		ScoresTable.spec(), FindingsTable.spec(), DecisionsTable.spec(), BreakersTable.spec(), GatesTable.spec(), VerdictsTable.spec(),
		VerdictHistoryTable.spec(), AuditTable.spec(), BaselinesTable.spec(), BaselineOrdersTable.spec(), LogLossesTable.spec(),
		HoldsTable.spec(), HeldCallsTable.spec(), HeldRunsTable.spec(), HeldTouchesTable.spec(), HeldScoresTable.spec(),
		HeldFindingsTable.spec(), HeldDecisionsTable.spec(), ProgressTable.spec(),
	}
}

// Name returns the name of the table in the database.
func (t *Table[T]) Name() string { return t.name }

// NewBlock returns an empty block for rows of the table.
func (t *Table[T]) NewBlock() *Block[T] { return &Block[T]{table: t, cols: t.columns()} }

func (t *Table[T]) spec() TableSpec {
	cols := t.columns()
	s := TableSpec{Name: t.name, shard: t.shard, Columns: make([]ColumnSpec, len(cols))}
	for i := range cols {
		s.Columns[i] = cols[i].spec()
	}
	return s
}

// IsKnown reports whether this version has a table of that name.
func IsKnown(table string) bool {
	_, ok := tablesByName()[table]
	return ok
}

var tablesByName = sync.OnceValue(func() map[string]TableSpec {
	out := map[string]TableSpec{}
	for _, t := range Tables() {
		out[t.Name] = t
	}
	return out
})

func tableNamed(name string) (TableSpec, error) {
	t, ok := tablesByName()[name]
	if !ok {
		return t, fmt.Errorf("no table %q", name)
	}
	return t, nil
}
