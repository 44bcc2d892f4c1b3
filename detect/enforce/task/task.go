// Package task holds what orchestrators declared runs to be for.
//
// It refuses a word of the agent itself: a task is declared and ended by commands
// of another role, and a run key that was used once is never used again.
package task

import (
	"cmp"
	"path"
	"slices"
	"time"

	"flyball/detect/enforce"
	"flyball/schema"
)

// Bounds.
const (
	// MaxDuration is the longest a task may last.
	MaxDuration = int64(7 * 24 * time.Hour)
	remembered  = int64(24 * time.Hour) // after its end, to recognise a late use
	maxTasks    = 100_000
	maxTargets  = 1000
)

// State holds tasks. It is not for concurrent use; a task that was given out
// never changes.
type State struct {
	tasks map[string]*schema.Task
	order []string // in the order of declaration
}

// New is a state before any command.
func New() *State { return &State{tasks: map[string]*schema.Task{}} }

// Apply declares or ends a task. The result refers to the task by its id.
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
	id := schema.TaskID(c.Tenant, c.Task.AgentID, c.Task.RunKey)
	have := s.tasks[id]
	switch c.Kind {
	case schema.CommandTask:
		return s.declare(at, c, id, have)
	case schema.CommandTaskEnd:
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
	return enforce.Malformed, nil
}

func (s *State) declare(at enforce.LogPosition, c *schema.Command, id string, have *schema.Task) (enforce.ResultCode, *schema.Task) {
	t := *c.Task
	switch {
	case have != nil && have.HasEnded(at.Time):
		return enforce.TaskOver, have
	case have != nil:
		return enforce.TaskExists, have
	case t.RunKey == "" || t.AgentID == "" || c.TTL <= 0 || c.TTL > MaxDuration || len(t.Targets) > maxTargets:
		return enforce.Malformed, nil
	case slices.ContainsFunc(t.Targets, func(p string) bool { _, err := path.Match(p, ""); return err != nil || p == "" }):
		return enforce.Malformed, nil
	}
	s.forget(at.Time)
	if len(s.order) >= maxTasks {
		return enforce.TooManyTasks, nil
	}
	t.ID, t.Tenant, t.Declared, t.Expires, t.Ended, t.By, t.Generation = id, c.Tenant, at.Time, at.Time+c.TTL, 0, c.By, at.Generation()
	s.tasks[id], s.order = &t, append(s.order, id)
	return enforce.TaskDeclared, &t
}

// forget drops tasks that have been over for a day.
func (s *State) forget(now int64) {
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

// ForRun is the task of an agent's run, over or not; nil without one.
func (s *State) ForRun(tenant, agent, runKey string) *schema.Task {
	if runKey == "" || len(s.tasks) == 0 {
		return nil
	}
	return s.tasks[schema.TaskID(tenant, agent, runKey)]
}

// Get returns a task by its id; nil without one.
func (s *State) Get(id string) *schema.Task { return s.tasks[id] }

// List is every task that is remembered, the latest first.
func (s *State) List() []*schema.Task {
	out := s.Snapshot()
	slices.Reverse(out)
	return out
}

// Snapshot is every task, in the order of declaration.
func (s *State) Snapshot() []*schema.Task {
	out := make([]*schema.Task, len(s.order))
	for i, id := range s.order {
		out[i] = s.tasks[id]
	}
	return out
}

// Restore is the state of a snapshot.
func Restore(from []*schema.Task) *State {
	s := New()
	for _, t := range from {
		s.tasks[t.ID], s.order = t, append(s.order, t.ID)
	}
	return s
}
