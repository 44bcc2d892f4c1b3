package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"flyball/detect/enforce"
	"flyball/detect/enforce/point"
	"flyball/schema"
)

// operation is one operation of the control API. The handlers and the OpenAPI document are made
// from the same list of operations.
type operation struct {
	method, path string
	id, summary  string
	role         Role // that a caller needs; empty: everybody is refused
	anybody      bool // no token is needed, and role is not used
	query        []queryParameter
	body         any // a zero value of the body's type; nil: none
	answer       any // a zero value of the answer's type
	problems     []int
	serve        func(*exchange)
}

type queryParameter struct {
	name, kind, doc string
	max             float64 // of an integer
}

// list returns an operation that reads a list. Rows of tenants that the caller may not read are
// left out.
func list(path, id, summary string, answer any, get func(*exchange) any) operation {
	return operation{method: http.MethodGet, path: path, id: id, summary: summary, role: Viewer, answer: answer,
		serve: func(x *exchange) { x.respond(x.caller.visible(get(x))) }}
}

// withBody returns an operation with a body of type B; POST unless its method is set.
func withBody[B any](op operation, serve func(*exchange, *B)) operation {
	if op.method == "" {
		op.method = http.MethodPost
	}
	op.body = *new(B)
	op.problems = append(op.problems, http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusServiceUnavailable)
	op.serve = func(x *exchange) { serve(x, x.body.(*B)) }
	return op
}

// exchange is one request to an operation, and its response.
type exchange struct {
	s      *server
	w      http.ResponseWriter
	r      *http.Request
	caller caller
	body   any // pointer to the decoded body, of the operation's type
}

func (x *exchange) respond(v any) {
	x.w.Header().Set("Content-Type", "application/json")
	x.w.WriteHeader(http.StatusOK)
	_ = json.NewEncoder(x.w).Encode(v)
}

func (x *exchange) refuse(rejected *refusal) {
	x.s.refuse(x.w, rejected.status, rejected.why, rejected.err)
}

// by returns the name for the audit trail: the token, and the person whom the request names.
func (x *exchange) by(named string) string { return x.caller.auditName(named) }

// change is a command and how its result becomes a response.
type change struct {
	command schema.Command
	success enforce.ResultCode
	// statuses are the HTTP statuses of results other than success; 409 for a result that is not
	// listed.
	statuses map[enforce.ResultCode]int
	answer   func(ChangeResult) any // nil: the ChangeResult
	met      []string               // what the change meets
	// until returns when the change ends by itself, for the id or name of its object; nil: never.
	until func(ref string) string
}

// submit writes a command and responds with its result. Any result other than success is a problem.
func (x *exchange) submit(c change) {
	command := c.command
	command.ID, command.Tenant, command.Role = point.NewCommandID("o_"), x.caller.tenant, string(x.caller.role)
	if err := x.s.o.State.Supports(readAs(&command)); err != nil {
		x.refuse(&refusal{http.StatusConflict, "points_do_not_read_it", err})
		return
	}
	r, err := x.s.o.Log.Submit(x.r.Context(), command)
	switch {
	case err != nil:
		x.refuse(&refusal{http.StatusServiceUnavailable, "log_away", err})
	case r.Code == c.success:
		x.respond(c.result(x, r))
	default:
		status := http.StatusConflict
		if s, ok := c.statuses[r.Code]; ok {
			status = s
		}
		x.refuse(&refusal{status, string(r.Code), errors.New(refusedText(r))})
	}
}

// readAs returns the kind of command that points must support for this command: an old point would
// apply the bypass of an agent to the whole tenant.
func readAs(command *schema.Command) schema.CommandKind {
	if command.Kind == schema.CommandBypass && command.Scope.Kind != schema.ScopeNone {
		return schema.CommandBypassEnd
	}
	return command.Kind
}

// ChangeResult is the response to a change.
type ChangeResult struct {
	Outcome    string `json:"outcome"`
	Generation uint64 `json:"generation"`
	Ref        string `json:"ref,omitempty"`
	Tenant     string `json:"tenant"`
	// Met is what the change met, as sentences for a person.
	Met []string `json:"met,omitempty"`
	// Until is when the change ends by itself; absent: it does not.
	Until string `json:"until,omitempty"`
	// Points with the generation that each has applied: a point enforces the change from its
	// generation on.
	Points []Applied `json:"points"`
}

// result returns the response to an applied change.
func (c *change) result(x *exchange, r enforce.Result) any {
	out := ChangeResult{Outcome: string(r.Code), Generation: r.Generation, Ref: r.Ref, Tenant: x.caller.tenant, Met: c.met,
		Points: x.s.applied()}
	if c.until != nil {
		out.Until = c.until(r.Ref)
	}
	if c.answer != nil {
		return c.answer(out)
	}
	return out
}
