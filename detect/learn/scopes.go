package learn

import (
	"flyball/detect/model/baseline"
	"flyball/detect/model/scope"
	"flyball/schema"
)

// scopeOf are columns of a run: the type of the task that an orchestrator had declared
// for it when the check was asked, and whether a person found benign what it did
// outside its scope.
const scopeOf = `run_id IN (SELECT run_id FROM findings WHERE tenant = {tenant:String} AND family = 'scope'
  AND finding_id IN (SELECT finding_id FROM verdicts WHERE tenant = {tenant:String} AND verdict = 'benign')) AS vouched,
    d.task_type AS declared`

// DeclaredTasksSQL are the types of the tasks of runs that the check was asked about.
func DeclaredTasksSQL(runs string) string {
	return `(SELECT run_id, any(attrs['` + schema.AttrTaskType + `']) AS task_type FROM calls
  WHERE tenant = {tenant:String} AND run_id IN (` + runs + `) AND observer_kind = 'gate'
    AND attrs['` + schema.AttrTaskType + `'] != '' GROUP BY run_id)`
}

// scopeColumns are read of it.
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

// ScopeFacts is what scopes are learned of beside a call's features.
type ScopeFacts struct {
	Declared        string // type of the task that an orchestrator declared for its run
	ConfirmedBenign bool   // a person found benign what its run did outside its scope
	Named           []schema.Resource
}

// addToScope adds a call to a run as the guard sees it.
func addToScope(run *baseline.TrainingRun, c *StoredCall) {
	if run.Scope == nil {
		run.Scope = &scope.TrainingRun{ID: run.ID, Agent: run.Agent, Group: run.Group, Declared: c.Declared, ConfirmedBenign: c.ConfirmedBenign}
	}
	s := run.Scope
	s.Calls, s.Names = append(s.Calls, scope.NewAccess(c.Route, c.Write, c.Named)), append(s.Names, c.Route)
}

// SetTaskTypes names the type of task of each run, once it is known which ids come back: the
// one that its scope goes by, and the one that it is compared by.
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

// outsideScope are the runs that what the others do would have held: they teach no
// counts. They calibrate as any other does: what holds a run is not its score, and
// without them the unusual of what is clean would be missing where it counts.
func outsideScope(runs []*baseline.TrainingRun) map[*baseline.TrainingRun]bool {
	jury, out := scope.NewLeaveOneOut(scope.DefaultRules(), known(runs)), map[*baseline.TrainingRun]bool{}
	for _, r := range runs {
		if r.Scope != nil && !r.Alarmed && jury.NeedsApproval(r.Scope) {
			out[r] = true
		}
	}
	return out
}

// scopes of the runs that teach; nil where nothing is known of any.
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
