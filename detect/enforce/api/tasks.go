package api

import (
	"net/http"

	"flyball/detect/enforce"
	"flyball/schema"
)

// tasks holds the operations on tasks that orchestrators declare.
type tasks struct{ *server }

func (t *tasks) operations() []operation {
	return []operation{
		list("/v1/runs", "tasks", "Tasks that orchestrators declared, the latest first", []TaskLine{},
			func(*exchange) any { return t.lines() }),
		withBody(operation{path: "/v1/runs", id: "declareTask", role: Orchestrator, answer: ChangeResult{}, problems: []int{409, 429},
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

func (t *tasks) declare(x *exchange, in *DeclareTaskRequest) {
	x.submit(change{command: schema.Command{Kind: schema.CommandTask, By: x.by(in.By), Reason: in.Reason, TTL: in.Seconds * 1e9,
		Task: &schema.Task{RunKey: in.RunKey, AgentID: in.Agent, Type: in.TaskType, Targets: in.Targets}}, success: enforce.TaskDeclared,
		statuses: map[enforce.ResultCode]int{enforce.TooManyTasks: http.StatusTooManyRequests, enforce.Malformed: http.StatusBadRequest}})
}

func (t *tasks) end(x *exchange, in *EndTaskRequest) {
	x.submit(change{command: schema.Command{Kind: schema.CommandTaskEnd, By: x.by(in.By), Reason: in.Reason,
		Task: &schema.Task{ID: x.r.PathValue("id")}}, success: enforce.TaskEnded,
		statuses: map[enforce.ResultCode]int{enforce.NoSuchTask: http.StatusNotFound}})
}
