package task

import (
	"testing"

	"flyball/detect/enforce"
	"flyball/schema"
)

// apply applies a command at a time, and returns its result and its task.
func apply(s *State, time int64, generation int64, c *schema.Command) (enforce.ResultCode, *schema.Task) {
	r, _ := s.Apply(enforce.LogPosition{Offset: generation - 1, Time: time}, c)
	return r.Code, s.Get(r.Ref)
}

func declare(key string, ttl int64, targets ...string) *schema.Command {
	return &schema.Command{Kind: schema.CommandTask, Tenant: "t", By: "orchestrator", TTL: ttl,
		Task: &schema.Task{RunKey: key, AgentID: "a", Type: "refund", Targets: targets}}
}

func TestTaskEndsOnceAndItsRunKeyIsNotUsedAgain(t *testing.T) {
	s := New()
	o, task := apply(s, 100, 1, declare("r", 1000, "order:1"))
	if o != enforce.TaskDeclared || task.Expires != 1100 || s.ForRun("t", "a", "r") != task {
		t.Fatalf("%s %+v", o, task)
	}
	if o, _ := apply(s, 150, 2, declare("r", 5000, "order:*")); o != enforce.TaskExists || len(s.ForRun("t", "a", "r").Targets) != 1 {
		t.Fatalf("declared again, and wider: %s", o)
	}
	end := &schema.Command{Kind: schema.CommandTaskEnd, Tenant: "t", Task: &schema.Task{ID: task.ID}}
	if o, _ := apply(s, 200, 3, end); o != enforce.TaskEnded {
		t.Fatal(o)
	}
	if o, _ := apply(s, 201, 4, end); o != enforce.TaskOver {
		t.Fatal(o)
	}
	if o, _ := apply(s, 300, 5, declare("r", 1000)); o != enforce.TaskOver {
		t.Fatalf("the run key was used again: %s", o)
	}
	if late := s.ForRun("t", "a", "r"); late == nil || !late.HasEnded(300) || late.HasEnded(199) == true && late.Ended == 0 {
		t.Fatal("a late use is not recognised")
	}
}

func TestTaskExpires(t *testing.T) {
	s := New()
	_, task := apply(s, 0, 1, declare("r", 1000))
	if task.HasEnded(999) || !task.HasEnded(1000) {
		t.Fatal("its time")
	}
}

func TestTaskOfAnotherTenantCannotBeEnded(t *testing.T) {
	s := New()
	_, task := apply(s, 0, 1, declare("r", 1000))
	if o, _ := apply(s, 1, 2, &schema.Command{Kind: schema.CommandTaskEnd, Tenant: "other",
		Task: &schema.Task{ID: task.ID}}); o != enforce.NoSuchTask {
		t.Fatal(o)
	}
}

func TestMalformedTaskIsRefused(t *testing.T) {
	s := New()
	for name, c := range map[string]*schema.Command{"no task": {Kind: schema.CommandTask}, "no run key": declare("", 10),
		"no end": declare("r", 0), "too long": declare("r", maxDuration+1), "no pattern": declare("r", 10, "order:[")} {
		if o, _ := apply(s, 0, 1, c); o != enforce.Malformed {
			t.Errorf("%s: %s", name, o)
		}
	}
}
