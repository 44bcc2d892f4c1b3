package baseline

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
)

// typed makes a run of a task type.
func typed(agent, task string, at int64, calls, repeats int) *TrainingRun {
	r := run(agent, "", at, calls, repeats)
	r.TaskType = task
	return r
}

// The task types of g/a, each with its number of runs and of calls.
func ofTypes(runs map[string][2]int) (out []*TrainingRun) {
	for task, n := range runs {
		for i := range n[0] {
			out = append(out, typed("g/a", task, int64(i), n[1], 0))
		}
	}
	return out
}

func TestTaskTypeIsComparedWithItself(t *testing.T) {
	runs := ofTypes(map[string][2]int{"refund": {40, 6}, "archive": {25, 60}, "rare": {MinAgentRuns - 1, 6}, "": {15, 6}})
	for i := range 30 {
		runs = append(runs, typed("g/b", "only", int64(i), 6, 0))
	}
	b := learned(runs...)
	for _, tc := range []struct{ agent, task, key string }{
		{"g/a", "archive", TaskKey("g/a", "archive")},
		{"g/a", "refund", TaskKey("g/a", "refund")},
		{"g/a", "rare", "g/a"},     // too few runs
		{"g/a", "invented", "g/a"}, // without runs
		{"g/a", "only", "g/a"},     // task type of another agent
		{"g/a", "", "g/a"},
		{"~g/a", "archive", "~g/a"},
		{"g/b", "only", "g/b"}, // the agent's only task type: its counts are not stored twice
	} {
		if key, _ := ComparisonKey(b, tc.agent, "", tc.task); key != tc.key {
			t.Errorf("%q of %s is compared as %q, want %q", tc.task, tc.agent, key, tc.key)
		}
	}
	// The runs of the part, and a share of its agent's other runs with the weight of ten: counts in closed form.
	if calls, want := callsOf(b.Agents[TaskKey("g/a", "archive")]), 25*60+partRuns*6.; math.Abs(calls-want) > 1e-9 {
		t.Errorf("archive rests on %g calls, want %g", calls, want)
	}
	if names := fmt.Sprint(b.AgentNames()); names != "[g/a g/b]" {
		t.Errorf("agents: %s", names)
	}
	var again Baseline
	if err := json.Unmarshal([]byte(text(t, b)), &again); err != nil {
		t.Fatal(err)
	}
	if key, _ := ComparisonKey(&again, "g/a", "", "archive"); key != TaskKey("g/a", "archive") || again.Check() != nil {
		t.Errorf("read back it is compared as %q, %v", key, again.Check())
	}
}

func TestTaskTypeHidesANewVersion(t *testing.T) {
	runs := ofTypes(map[string][2]int{"refund": {40, 6}, "": {40, 6}})
	for _, r := range runs {
		r.Version = "1"
	}
	b := learned(runs...)
	if key, why := ComparisonKey(b, "g/a", "2", "refund"); key != TaskKey("g/a", "refund") || why != WhyTaught {
		t.Errorf("%q (%s)", key, why)
	}
	if key, why := ComparisonKey(b, "g/a", "2", "invented"); key != VersionKey("g/a", "") || why != WhyNewVersion {
		t.Errorf("a type that is not kept: %q (%s)", key, why)
	}
}

func TestInventedTaskTypesFillTheBody(t *testing.T) {
	few := map[string][2]int{}
	for i := range 200 {
		few[fmt.Sprint("t", i)] = [2]int{3, 5}
	}
	if b := learned(ofTypes(few)...); len(b.Agents) != 1 || b.Tasks != nil {
		t.Errorf("%d keys, %+v", len(b.Agents), b.Tasks)
	}
	many := map[string][2]int{}
	for i := range 40 {
		many[fmt.Sprintf("t%02d", i)] = [2]int{MinAgentRuns + i, 5}
	}
	b := learned(ofTypes(many)...)
	if list := b.Tasks["g/a"]; len(b.Agents) != 1+maxTasks || len(list) != maxTasks || list[0] != (TaskStatus{"t39", MinAgentRuns + 39}) {
		t.Errorf("%d keys, %+v", len(b.Agents), list)
	}
}

func TestFrozenAgentLosesItsTaskTypes(t *testing.T) {
	was := learned(ofTypes(map[string][2]int{"archive": {25, 60}, "refund": {40, 6}})...)
	is := learned(ofTypes(map[string][2]int{"sync": {25, 90}, "refund": {40, 9}})...)
	is.CopyAgent(was, "g/a")
	for task, want := range map[string]string{"archive": TaskKey("g/a", "archive"), "refund": TaskKey("g/a", "refund"), "sync": "g/a"} {
		key, _ := ComparisonKey(is, "g/a", "", task)
		if key != want || is.Agents[key] != was.Agents[key] || is.Lengths.Agents[key] != was.Lengths.Agents[key] {
			t.Errorf("%s is compared as %q", task, key)
		}
	}
	if is.Has(TaskKey("g/a", "sync")) {
		t.Error("what came after the freeze is kept")
	}
}
