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

	"flyball/schema"
)

// Outcome says what became of a command.
type Outcome string

const (
	Declared Outcome = "declared"
	Ended    Outcome = "ended"
	Known    Outcome = "already_declared"
	Over     Outcome = "already_over"
	Unknown  Outcome = "no_such_task"
	Full     Outcome = "too_many_tasks"
	Bad      Outcome = "malformed"
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

// Apply folds a command at a time of the log's clock.
func (s *State) Apply(now int64, generation uint64, c *schema.Command) (Outcome, *schema.Task) {
	if c.Task == nil {
		return Bad, nil
	}
	id := schema.TaskID(c.Tenant, c.Task.AgentID, c.Task.RunKey)
	have := s.tasks[id]
	switch c.Kind {
	case schema.CommandTask:
		return s.declare(now, generation, c, id, have)
	case schema.CommandTaskEnd:
		if have == nil && c.Task.ID != "" {
			have = s.tasks[c.Task.ID]
		}
		switch {
		case have == nil || have.Tenant != c.Tenant:
			return Unknown, nil
		case have.HasEnded(now):
			return Over, have
		}
		t := *have
		t.Ended, t.Generation = now, generation
		s.tasks[t.ID] = &t
		return Ended, &t
	}
	return Bad, nil
}

func (s *State) declare(now int64, generation uint64, c *schema.Command, id string, have *schema.Task) (Outcome, *schema.Task) {
	t := *c.Task
	switch {
	case have != nil && have.HasEnded(now):
		return Over, have
	case have != nil:
		return Known, have
	case t.RunKey == "" || t.AgentID == "" || c.TTL <= 0 || c.TTL > MaxDuration || len(t.Targets) > maxTargets:
		return Bad, nil
	case slices.ContainsFunc(t.Targets, func(p string) bool { _, err := path.Match(p, ""); return err != nil || p == "" }):
		return Bad, nil
	}
	s.forget(now)
	if len(s.order) >= maxTasks {
		return Full, nil
	}
	t.ID, t.Tenant, t.Declared, t.Expires, t.Ended, t.By, t.Generation = id, c.Tenant, now, now+c.TTL, 0, c.By, generation
	s.tasks[id], s.order = &t, append(s.order, id)
	return Declared, &t
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
