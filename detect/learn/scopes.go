package learn

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2"

	"flyball/detect/model/baseline"
	"flyball/detect/model/scope"
	"flyball/schema"
)

// DeclaredTasksSQL returns a subquery for the task types that requests to the check declared. runs is an SQL list or
// subquery of run ids. Of several declared types of a run the greatest counts.
func DeclaredTasksSQL(runs string) string {
	return `(SELECT run_id, max(attrs['` + schema.AttrTaskType + `']) AS task_type FROM calls
  WHERE tenant = {tenant:String} AND run_id IN (` + runs + `) AND ` + declaresTask + ` GROUP BY run_id)`
}

// confirmedRuns selects the runs of which a person labelled a finding of the family scope benign.
const confirmedRuns = `SELECT DISTINCT toString(run_id) FROM findings WHERE tenant = {tenant:String} AND family = 'scope'
  AND finding_id IN (SELECT finding_id FROM verdicts WHERE tenant = {tenant:String} AND verdict = 'benign')`

// confirmedScopes returns the runs whose accesses outside their scope a person found benign.
func confirmedScopes(ctx context.Context, db DB, tenant string) (map[string]bool, error) {
	out := map[string]bool{}
	err := each(ctx, db, "confirmed scopes", confirmedRuns, []any{clickhouse.Named("tenant", tenant)}, func(scan func(...any) error) error {
		var run string
		err := scan(&run)
		out[run] = true
		return err
	})
	return out, err
}

// scopeColumns holds the columns for learning scopes.
type scopeColumns struct {
	declared string
}

func (s *scopeColumns) columns() []column {
	return []column{{"if(" + declaresTask + ", attrs['" + schema.AttrTaskType + "'], '')", &s.declared}}
}

func (s *scopeColumns) take(out *StoredCall, c *schema.Call) error {
	out.ScopeFacts = &ScopeFacts{s.declared, c.Resources}
	return nil
}

// ScopeFacts holds what scopes are learned from in addition to a call's features.
type ScopeFacts struct {
	// Declared is the task type that a request to the check declared for the run. The row is then no call.
	Declared string
	Named    []schema.Resource
}

// addToScope adds a call to the run's data for learning scopes.
func addToScope(run *baseline.TrainingRun, c *StoredCall, route string) {
	s := run.Scope
	s.Calls, s.Names = append(s.Calls, scope.NewAccess(route, c.Write, c.Named)), append(s.Names, route)
}

// SetTaskTypes sets the task type of each run: the one for its scope, and the one for its comparison with other runs. It
// needs all runs, because a task id that several runs share can name a type.
func SetTaskTypes(runs []*baseline.TrainingRun) {
	seen := map[string]int{}
	for _, r := range runs {
		seen[r.Task]++
	}
	for _, r := range runs {
		declared := ""
		if r.Scope != nil {
			declared = r.Scope.Declared
			r.Scope.Task = scope.TaskType(&schema.Task{Type: declared}, r.Task, func(id string) int { return seen[id] })
		}
		r.TaskType = scope.TrustedTaskType(declared, r.Task, r.TaskTrust)
	}
}

// outsideScope returns the runs that would have needed approval by a scope learned from the other runs. They are not
// counted. They are used in the calibration, because the guard does not use the score, and without them unusual clean
// runs would be missing from the tail.
func outsideScope(runs []*baseline.TrainingRun) map[*baseline.TrainingRun]bool {
	others, out := scope.NewLeaveOneOut(scope.DefaultRules(), known(runs)), map[*baseline.TrainingRun]bool{}
	for _, r := range runs {
		if r.Scope != nil && !r.Alarmed && others.NeedsApproval(r.Scope) {
			out[r] = true
		}
	}
	return out
}

// scopes learns the scopes of the runs. It returns nil when no run has data for learning scopes.
func scopes(runs []*baseline.TrainingRun) *scope.Model {
	list := known(runs)
	if len(list) == 0 {
		return nil
	}
	return scope.LearnModel(list)
}

func known(runs []*baseline.TrainingRun) (out []*scope.TrainingRun) {
	for _, r := range runs {
		if r.Scope != nil && !r.Alarmed {
			out = append(out, r.Scope)
		}
	}
	return out
}
