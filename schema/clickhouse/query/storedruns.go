package query

import "strings"

// storedRuns is the condition for runs of which one stored state at least meets a condition on columns of
// runs_store. It also selects runs that a later state has changed, so it stands beside the same condition on
// runs: the view puts a run together from all its states, and with this condition does so only for a few runs.
func storedRuns(condition string) string {
	return "(tenant, run_id) IN (SELECT tenant, run_id FROM runs_store WHERE " + condition + ")"
}

// addRuns adds a condition on one column of runs, and the selection of the stored runs that can meet it.
func (w *where) addRuns(condition string, params ...any) {
	w.add(condition, params...)
	w.add(storedRuns(condition))
}

// overlappingRuns selects runs with calls in [since, until], as between does.
func (w *where) overlappingRuns(f *RunFilter) {
	n := len(w.conditions)
	w.between("started_at", "last_at", f.Since, f.Until)
	for _, c := range w.conditions[n:] {
		w.add(storedRuns(c))
	}
}

// ofRuns selects the runs of a condition from the view, without a column that the condition does not name. The
// view computes only what is asked for.
func ofRuns(columns string, w *where, tail string) string {
	return strings.Join([]string{"SELECT", columns, "FROM runs", w.String(), tail}, " ")
}
