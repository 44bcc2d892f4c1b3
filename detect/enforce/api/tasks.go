package api

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"flyball/detect/enforce"
	"flyball/schema"
)

// tasks holds the operations on tasks that orchestrators declare.
type tasks struct {
	*server
	targets *targets
}

func (t *tasks) operations() []operation {
	return []operation{
		list("/v1/runs", "tasks", "Tasks that orchestrators declared, the latest first", []TaskLine{},
			func(*exchange) any { return t.lines() }),
		withBody(operation{path: "/v1/runs", id: "declareTask", role: Orchestrator, answer: ChangeResult{}, problems: []int{404, 409, 422, 429},
			summary: "Declare what a run of an agent may write, before it begins"}, t.declare),
		withBody(operation{path: "/v1/runs/{id}/end", id: "endTask", role: Orchestrator, answer: ChangeResult{}, problems: []int{404, 409},
			summary: "End a task: its scope and its grants end with it"}, t.end),
	}
}

// TaskLine is a line of /v1/runs.
type TaskLine struct {
	schema.Task
	At      string `json:"declared"`
	Expires string `json:"expires"`
	Ended   string `json:"ended,omitempty"`
}

func (t *tasks) lines() []TaskLine {
	v := t.o.State.Acquire()
	all := v.Tasks.List()
	v.Release()
	out := make([]TaskLine, 0, len(all))
	for _, x := range all {
		out = append(out, TaskLine{Task: *x, At: timestamp(x.Declared), Expires: timestamp(x.Expires), Ended: timestamp(x.Ended)})
	}
	return out
}

// Named reasons for refusing a task.
const (
	whyUnknownAgent    = "unknown_agent"
	whyUnknownTaskType = "unknown_task_type"
)

func (t *tasks) declare(x *exchange, in *DeclareTaskRequest) {
	if LooksLikeSecret(in.RunKey) || LooksLikeSecret(in.Agent) || hasSecret(in.Targets...) {
		x.refuse(refuseSecret())
		return
	}
	if !in.Force {
		if rejected := t.check(x, in); rejected != nil {
			x.refuse(rejected)
			return
		}
	}
	x.submit(change{command: schema.Command{Kind: schema.CommandTask, By: x.by(in.By), Reason: in.Reason, TTL: in.Seconds * 1e9,
		Task: &schema.Task{RunKey: in.RunKey, AgentID: in.Agent, Type: in.TaskType, Targets: in.Targets}}, success: enforce.TaskDeclared,
		statuses: map[enforce.ResultCode]int{enforce.TooManyTasks: http.StatusTooManyRequests, enforce.Malformed: http.StatusBadRequest},
		until:    t.until, met: t.metAgent(x.caller.tenant, in.Agent)})
}

// metAgent describes the manifest by which an agent's tasks are judged.
func (t *tasks) metAgent(tenant, agent string) []string {
	v := t.o.State.Acquire()
	defer v.Release()
	m, doc := v.Manifests.ForAgent(tenant, agent, schema.TrustVerified)
	if m == nil {
		return []string{"no manifest is in force for " + agent + ": the targets of the task alone limit its writes"}
	}
	return []string{fmt.Sprintf("the manifest of %s, version %d, also limits it", doc.Agent, doc.Version)}
}

// check refuses a task of an agent that nobody knows, and a type that the agent's manifest does not
// name: each of its calls would be held.
func (t *tasks) check(x *exchange, in *DeclareTaskRequest) *refusal {
	if !t.targets.isKnown(schema.Scope{Kind: schema.ScopeAgent, Value: in.Agent}) {
		return refused(http.StatusNotFound, whyUnknownAgent, "agent: this point has met no established agent of that name, and neither the "+
			"registry nor a manifest names it; it is not checked with force (--force)")
	}
	if in.TaskType == "" {
		return nil
	}
	v := t.o.State.Acquire()
	m, doc := v.Manifests.ForAgent(x.caller.tenant, in.Agent, schema.TrustVerified)
	v.Release()
	if m == nil {
		return nil
	}
	if _, ok := m.Document.TaskTypes[in.TaskType]; ok {
		return nil
	}
	known := "it has none"
	if len(m.Document.TaskTypes) > 0 {
		known = "one of " + strings.Join(slices.Sorted(maps.Keys(m.Document.TaskTypes)), ", ")
	}
	return refused(http.StatusUnprocessableEntity, whyUnknownTaskType, "task_type: %s is not in task_types of the manifest of %s "+
		"(version %d); %s; it is not checked with force (--force)", showText(in.TaskType), doc.Agent, doc.Version, known)
}

// until returns when a task ends by itself.
func (t *tasks) until(id string) string {
	if x := t.task(id); x != nil {
		return timestamp(x.Expires)
	}
	return ""
}

func (t *tasks) task(id string) *schema.Task {
	v := t.o.State.Acquire()
	defer v.Release()
	return v.Tasks.Get(id)
}

func (t *tasks) end(x *exchange, in *EndTaskRequest) {
	id := x.r.PathValue("id")
	var met []string
	if have := t.task(id); have != nil && x.caller.maySee(have.Tenant) {
		met = []string{describeTask(have)}
	}
	x.submit(change{command: schema.Command{Kind: schema.CommandTaskEnd, By: x.by(in.By), Reason: in.Reason,
		Task: &schema.Task{ID: id}}, success: enforce.TaskEnded,
		statuses: map[enforce.ResultCode]int{enforce.NoSuchTask: http.StatusNotFound}, met: met})
}
