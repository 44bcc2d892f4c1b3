package learn

import (
	"flyball/detect/model/baseline"
	"flyball/detect/model/scope"
	"flyball/schema"
)

// scopeOf is a list of columns of a run: whether a person labelled a finding of the family scope benign, and the task
// type that an orchestrator declared in a request to the check.
const scopeOf = `run_id IN (SELECT run_id FROM findings WHERE tenant = {tenant:String} AND family = 'scope'
  AND finding_id IN (SELECT finding_id FROM verdicts WHERE tenant = {tenant:String} AND verdict = 'benign')) AS vouched,
    d.task_type AS declared`

// DeclaredTasksSQL returns a subquery for the task types that requests to the check declared. runs is an SQL list or
// subquery of run ids.
func DeclaredTasksSQL(runs string) string {
	return `(SELECT run_id, any(attrs['` + schema.AttrTaskType + `']) AS task_type FROM calls
  WHERE tenant = {tenant:String} AND run_id IN (` + runs + `) AND observer_kind = 'gate'
    AND attrs['` + schema.AttrTaskType + `'] != '' GROUP BY run_id)`
}

// scopeColumns holds the values of the columns of scopeOf.
type scopeColumns struct {
	declared string
	vouched  bool
}

func (s *scopeColumns) columns() []column {
	return []column{{"p.declared", &s.declared}, {"p.vouched", &s.vouched}}
}

func (s *scopeColumns) take(out *StoredCall, c *schema.Call) error {
	out.ScopeFacts = &ScopeFacts{s.declared, s.vouched, c.Resources}
	return nil
}

// ScopeFacts holds what scopes are learned from in addition to a call's features.
type ScopeFacts struct {
	Declared        string // task type that an orchestrator declared for the run
	ConfirmedBenign bool   // a person labelled benign what the run did outside its scope
	Named           []schema.Resource
}

// addToScope adds a call to the run's data for learning scopes.
func addToScope(run *baseline.TrainingRun, c *StoredCall) {
	if run.Scope == nil {
		run.Scope = &scope.TrainingRun{ID: run.ID, Agent: run.Agent, Group: run.Group, Declared: c.Declared, ConfirmedBenign: c.ConfirmedBenign}
	}
	s := run.Scope
	s.Calls, s.Names = append(s.Calls, scope.NewAccess(c.Route, c.Write, c.Named)), append(s.Names, c.Route)
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
