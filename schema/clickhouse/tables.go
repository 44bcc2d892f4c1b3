package clickhouse

// table is a table of Flyball's: its columns, and how its rows spread over the
// shards of a cluster. Rows that replace or merge with each other share a key.
type table struct {
	name  string
	specs []Spec
	shard string
}

// tables is every table. Those without a writer here are filled by parts that
// come with scoring; they exist so that the views and the joins do.
func tables() []table {
	return []table{
		{"calls_store", specsOf(callsColumns()), "sipHash64(run_id)"},
		{"runs_store", specsOf(runsColumns()), "sipHash64(run_id)"},
		{"touches_store", specsOf(touchesColumns()), "sipHash64(resource)"},
		{"trace_calls", specsOf(traceCallsColumns()), "sipHash64(trace_id)"},
		{"stitching_store", specsOf(stitchingColumns()), "sipHash64(producer)"},
		{"dead_letters_store", specsOf(deadLettersColumns()), "sipHash64(dead_offset)"},
		{"scores_store", scoresSpecs(), "sipHash64(run_id)"},
		{"findings_store", findingsSpecs(), "sipHash64(finding_id)"},
		{"decisions_store", decisionsSpecs(), "sipHash64(decision_id)"},
		{"breakers_store", breakersSpecs(), "sipHash64(scope_value)"},
		{"baselines_store", baselinesSpecs(), "sipHash64(name)"},
		{"progress", specsOf(progressColumns()), "calls_partition"},
	}
}

func specsOf[T any](cols []column[T]) []Spec {
	out := make([]Spec, len(cols))
	for i := range cols {
		out[i] = cols[i].spec()
	}
	return out
}

const (
	lowString = "LowCardinality(String)"
	level     = "Enum8('none' = 0, 'annotate' = 1, 'alert' = 2, 'trip' = 3)"
)

func scoresSpecs() []Spec {
	return []Spec{
		{"tenant", lowString, constant},
		{"run_id", "UUID", constant},
		{"at", nanoTime, clock},
		{"calls_partition", "Int32", constant},
		{"calls_offset", "Int64", offset},
		{"item", "UInt32", amount}, // of the calls record
		{"value", "Float64", constant},
		{"level", level, ""},
		{"baseline_version", lowString, constant},
		{"features", "Array(" + lowString + ")", constant},
		{"observed", "Array(Float64)", constant},
		{"usual", "Array(Float64)", constant},
		{"peers", "Array(Float64)", constant},
		{"humans", "Array(Float64)", constant},
	}
}

func findingsSpecs() []Spec {
	return []Spec{
		{"tenant", lowString, constant},
		{"finding_id", "String", constant},
		{"version", "UInt64", amount},
		{"run_id", "UUID", constant},
		{"agent_id", "String", constant},
		{"family", lowString, constant},
		{"level", level, ""},
		{"state", lowString, constant},
		{"opened_at", nanoTime, clock},
		{"updated_at", nanoTime, clock},
		{"score", "Float64", constant},
		{"expected_rate", "Float64", constant},
		{"delay_calls", "UInt32", amount},
		{"exposure_calls", "UInt64", amount},
		{"exposure_irreversible", "UInt64", amount},
		{"verdict", lowString, constant},
		{"evidence", "String", constant}, // JSON, as the commands print it
	}
}

func decisionsSpecs() []Spec {
	return []Spec{
		{"tenant", lowString, constant},
		{"decision_id", "String", constant},
		{"at", nanoTime, clock},
		{"scope_kind", lowString, constant},
		{"scope_value", "String", constant},
		{"action", lowString, constant},
		{"mode", lowString, constant},
		{"origin", lowString, constant},
		{"finding_id", "String", constant},
		{"run_id", "UUID", constant},
		{"generation", "UInt64", amount},
		{"ttl_ns", "Int64", span},
		{"reason", "String", constant},
	}
}

func breakersSpecs() []Spec {
	return []Spec{
		{"tenant", lowString, constant},
		{"scope_kind", lowString, constant},
		{"scope_value", "String", constant},
		{"generation", "UInt64", amount}, // offset in flyball.commands
		{"at", nanoTime, clock},
		{"state", "Enum8('closed' = 0, 'open' = 1, 'half_open' = 2, 'forced_open' = 3)", ""},
		{"mode", lowString, constant},
		{"origin", lowString, constant},
		{"finding_id", "String", constant},
		{"reason", "String", constant},
		{"expires_at", nanoTime, clock},
		{"exposure_calls", "UInt64", amount},
		{"exposure_irreversible", "UInt64", amount},
	}
}

func baselinesSpecs() []Spec {
	return []Spec{
		{"tenant", lowString, constant},
		{"name", "String", constant}, // whose: an agent, a peer group, the humans
		{"version", "UInt64", amount},
		{"state", "Enum8('learning' = 0, 'active' = 1, 'stale' = 2, 'frozen' = 3)", ""},
		{"made_at", nanoTime, clock},
		{"runs", "UInt64", amount},
		{"calls", "UInt64", amount},
		{"since", nanoTime, clock},
		{"until", nanoTime, clock},
		{"body", "String", "ZSTD(3)"},
	}
}

// TableNames are the names of the tables, in the order they are made.
func TableNames() []string {
	var out []string
	for _, t := range tables() {
		out = append(out, t.name)
	}
	return out
}

// Columns are the columns of a table, in order.
func Columns(tableName string) ([]Spec, error) {
	t, err := tableNamed(tableName)
	return t.specs, err
}
