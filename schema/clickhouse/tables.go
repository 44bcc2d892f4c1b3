package clickhouse

// table is a table of Flyball's: its columns, and how its rows spread over the
// shards of a cluster. Rows that replace or merge with each other share a key.
type table struct {
	name  string
	specs []Spec
	shard string
}

// tables is every table.
func tables() []table {
	return []table{
		{"calls_store", specsOf(callsColumns()), "sipHash64(run_id)"},
		{"runs_store", specsOf(runsColumns()), "sipHash64(run_id)"},
		{"touches_store", specsOf(touchesColumns()), "sipHash64(resource)"},
		{"trace_calls", specsOf(traceCallsColumns()), "sipHash64(trace_id)"},
		{"stitching_store", specsOf(stitchingColumns()), "sipHash64(producer)"},
		{"dead_letters_store", specsOf(deadLettersColumns()), "sipHash64(dead_offset)"},
		{"scores_store", specsOf(scoresColumns()), "sipHash64(run_id)"},
		{"findings_store", specsOf(findingsColumns()), "sipHash64(finding_id)"},
		{"decisions_store", specsOf(decisionsColumns()), "sipHash64(decision_id)"},
		{"breakers_store", specsOf(breakersColumns()), "sipHash64(scope_value)"},
		{"gates_store", specsOf(gatesColumns()), "sipHash64(gate_id)"},
		{"verdicts_store", specsOf(verdictsColumns()), "sipHash64(finding_id)"},
		{"audit_store", specsOf(auditColumns()), "seq"},
		{"baselines_store", specsOf(baselinesColumns()), "sipHash64(name)"},
		{"baseline_orders_store", specsOf(baselineOrdersColumns()), "sipHash64(agent)"},
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
