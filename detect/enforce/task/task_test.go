package task

import (
	"testing"

	"flyball/schema"
)

func declare(key string, ttl int64, targets ...string) *schema.Command {
	return &schema.Command{Kind: schema.CommandTask, Tenant: "t", By: "orchestrator", TTL: ttl, Task: &schema.Task{RunKey: key, AgentID: "a", Type: "refund", Targets: targets}}
}

func TestTaskEndsOnceAndItsRunKeyIsNotUsedAgain(t *testing.T) {
	s := New()
	o, task := s.Apply(100, 1, declare("r", 1000, "order:1"))
	if o != Declared || task.Expires != 1100 || s.ForRun("t", "a", "r") != task {
		t.Fatalf("%s %+v", o, task)
	}
	if o, _ := s.Apply(150, 2, declare("r", 5000, "order:*")); o != Known || len(s.ForRun("t", "a", "r").Targets) != 1 {
		t.Fatalf("declared again, and wider: %s", o)
	}
	end := &schema.Command{Kind: schema.CommandTaskEnd, Tenant: "t", Task: &schema.Task{ID: task.ID}}
	if o, _ := s.Apply(200, 3, end); o != Ended {
		t.Fatal(o)
	}
	if o, _ := s.Apply(201, 4, end); o != Over {
		t.Fatal(o)
	}
	if o, _ := s.Apply(300, 5, declare("r", 1000)); o != Over {
		t.Fatalf("the run key was used again: %s", o)
	}
	if late := s.ForRun("t", "a", "r"); late == nil || !late.HasEnded(300) || late.HasEnded(199) == true && late.Ended == 0 {
		t.Fatal("a late use is not recognised")
	}
}

func TestTaskExpires(t *testing.T) {
	s := New()
	_, task := s.Apply(0, 1, declare("r", 1000))
	if task.HasEnded(999) || !task.HasEnded(1000) {
		t.Fatal("its time")
	}
}

func TestTaskOfAnotherTenantCannotBeEnded(t *testing.T) {
	s := New()
	_, task := s.Apply(0, 1, declare("r", 1000))
	if o, _ := s.Apply(1, 2, &schema.Command{Kind: schema.CommandTaskEnd, Tenant: "other", Task: &schema.Task{ID: task.ID}}); o != Unknown {
		t.Fatal(o)
	}
}

func TestMalformedTaskIsRefused(t *testing.T) {
	s := New()
	for name, c := range map[string]*schema.Command{"no task": {Kind: schema.CommandTask}, "no run key": declare("", 10), "no end": declare("r", 0), "too long": declare("r", MaxDuration+1), "no pattern": declare("r", 10, "order:[")} {
		if o, _ := s.Apply(0, 1, c); o != Bad {
			t.Errorf("%s: %s", name, o)
		}
	}
}
