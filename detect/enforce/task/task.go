// Package task is the state machine of tasks: an orchestrator declares the purpose of an agent's
// run, which resources the run may change, and until when.
//
// It does not accept tasks from the agent itself: commands of another role declare and end a task,
// and a run key is not used for a second task. It does not decide calls: see package manifest.
package task

import (
	"cmp"
	"path"
	"slices"
	"time"

	"flyball/detect/enforce"
	"flyball/schema"
)

const (
	maxDuration = int64(7 * 24 * time.Hour)
	remembered  = int64(24 * time.Hour) // after the end of a task, to recognise late calls
	maxTasks    = 100_000
	maxTargets  = 1000
)

// State holds all tasks. It is not safe for concurrent use. A task that was returned never changes.
type State struct {
	tasks map[string]*schema.Task
	order []string // in the order of declaration
}

// New returns the state before any command.
func New() *State { return &State{tasks: map[string]*schema.Task{}} }

// Apply declares or ends a task. The result contains the id of the task.
func (s *State) Apply(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	code, t := s.apply(at, c)
	r := enforce.Result{Code: code}
	if t != nil {
		r.Ref = t.ID
	}
	return r, nil
}

func (s *State) apply(at enforce.LogPosition, c *schema.Command) (enforce.ResultCode, *schema.Task) {
	if c.Task == nil {
		return enforce.Malformed, nil
	}
	switch c.Kind {
	case schema.CommandTask:
		return s.declare(at, c)
	case schema.CommandTaskEnd:
		return s.end(at, c)
	}
	return enforce.Malformed, nil
}

func (s *State) end(at enforce.LogPosition, c *schema.Command) (enforce.ResultCode, *schema.Task) {
	have := s.tasks[schema.TaskID(c.Tenant, c.Task.AgentID, c.Task.RunKey)]
	if have == nil && c.Task.ID != "" {
		have = s.tasks[c.Task.ID]
	}
	switch {
	case have == nil || have.Tenant != c.Tenant:
		return enforce.NoSuchTask, nil
	case have.HasEnded(at.Time):
		return enforce.TaskOver, have
	}
	t := *have
	t.Ended, t.Generation = at.Time, at.Generation()
	s.tasks[t.ID] = &t
	return enforce.TaskEnded, &t
}

func (s *State) declare(at enforce.LogPosition, c *schema.Command) (enforce.ResultCode, *schema.Task) {
	t := *c.Task
	t.ID = schema.TaskID(c.Tenant, t.AgentID, t.RunKey)
	have := s.tasks[t.ID]
	switch {
	case have != nil && have.HasEnded(at.Time):
		return enforce.TaskOver, have
	case have != nil:
		return enforce.TaskExists, have
	case t.RunKey == "" || t.AgentID == "" || c.TTL <= 0 || c.TTL > maxDuration || len(t.Targets) > maxTargets:
		return enforce.Malformed, nil
	case slices.ContainsFunc(t.Targets, func(p string) bool { _, err := path.Match(p, ""); return err != nil || p == "" }):
		return enforce.Malformed, nil
	}
	s.removeOld(at.Time)
	if len(s.order) >= maxTasks {
		return enforce.TooManyTasks, nil
	}
	t.Tenant, t.By, t.Generation = c.Tenant, c.By, at.Generation()
	t.Declared, t.Expires, t.Ended = at.Time, at.Time+c.TTL, 0
	s.tasks[t.ID], s.order = &t, append(s.order, t.ID)
	return enforce.TaskDeclared, &t
}

// removeOld removes tasks that ended at least a day ago, when the bound is reached.
func (s *State) removeOld(now int64) {
	if len(s.order) < maxTasks {
		return
	}
	s.order = slices.DeleteFunc(s.order, func(id string) bool {
		t := s.tasks[id]
		end := cmp.Or(t.Ended, t.Expires)
		if now < end+remembered {
			return false
		}
		delete(s.tasks, id)
		return true
	})
}

// ForRun returns the task of an agent's run, ended or not; nil if there is none.
func (s *State) ForRun(tenant, agent, runKey string) *schema.Task {
	if runKey == "" || len(s.tasks) == 0 {
		return nil
	}
	return s.tasks[schema.TaskID(tenant, agent, runKey)]
}

// Get returns a task by its id; nil if there is none.
func (s *State) Get(id string) *schema.Task { return s.tasks[id] }

// List returns every task in memory, the latest first.
func (s *State) List() []*schema.Task {
	out := s.Snapshot()
	slices.Reverse(out)
	return out
}

// Snapshot returns every task, in the order of declaration.
func (s *State) Snapshot() []*schema.Task {
	out := make([]*schema.Task, len(s.order))
	for i, id := range s.order {
		out[i] = s.tasks[id]
	}
	return out
}

// Restore returns the state of a snapshot.
func Restore(from []*schema.Task) *State {
	s := New()
	for _, t := range from {
		s.tasks[t.ID], s.order = t, append(s.order, t.ID)
	}
	return s
}
