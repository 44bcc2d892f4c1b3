package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"flyball/detect/enforce"
	"flyball/detect/enforce/exception"
	"flyball/detect/playbook"
	"flyball/detect/policy"
	"flyball/schema"
)

// exceptions holds the operations on exceptions, which cover expected findings.
type exceptions struct {
	*server
	targets *targets
}

func (e *exceptions) operations() []operation {
	return []operation{
		list("/v1/exceptions", "exceptions", "Findings that commands say are meant, the latest first", []ExceptionLine{},
			func(x *exchange) any { return e.lines(x.caller.tenant) }),
		withBody(operation{path: "/v1/exceptions", id: "addException", role: Admin, answer: ExceptionResult{}, problems: []int{409, 422},
			summary: "Add an exception for a family of findings about an established agent, for a limited time"}, e.add),
		withBody(operation{path: "/v1/exceptions/{id}/remove", id: "removeException", role: Admin, answer: ChangeResult{},
			problems: []int{404, 409}, summary: "Remove an exception"}, e.remove),
	}
}

// ExceptionLine is a line of /v1/exceptions.
type ExceptionLine struct {
	ID      string   `json:"id"`
	Tenant  string   `json:"tenant"`
	Agent   string   `json:"agent"`
	Family  string   `json:"family"`
	Routes  []string `json:"routes"` // empty: any
	Since   string   `json:"since"`
	Expires string   `json:"expires"`
	By      string   `json:"by"`
	Role    string   `json:"role,omitempty"`
	Reason  string   `json:"reason"`
	Trips   uint64   `json:"trips"` // trips that the exception has covered
	Last    string   `json:"last_covered,omitempty"`
}

func (e *exceptions) lines(tenant string) []ExceptionLine {
	v := e.o.State.Acquire()
	all := v.Exceptions.List(tenant)
	v.Release()
	out := make([]ExceptionLine, 0, len(all))
	for _, x := range all {
		out = append(out, ExceptionLine{ID: x.ID, Tenant: tenant, Agent: x.Agent, Family: x.Family, Routes: append([]string{}, x.Routes...),
			Since: timestamp(x.At), Expires: timestamp(x.Until), By: x.By, Role: x.Role, Reason: x.Reason, Trips: x.Covered,
			Last: timestamp(x.CoveredAt)})
	}
	return out
}

// line returns the exception with an id; nil: there is none.
func (e *exceptions) line(tenant, id string) *ExceptionLine {
	list := e.lines(tenant)
	i := slices.IndexFunc(list, func(l ExceptionLine) bool { return l.ID == id })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// ExceptionResult is the response to the addition of an exception.
type ExceptionResult struct {
	ChangeResult
	Notes []string `json:"notes"`
}

// exceptionStatuses maps results of commands on exceptions to HTTP statuses.
var exceptionStatuses = map[enforce.ResultCode]int{enforce.NoSuchException: http.StatusNotFound,
	enforce.Rejected: http.StatusUnprocessableEntity}

func (e *exceptions) add(x *exchange, in *AddExceptionRequest) {
	if LooksLikeSecret(in.Agent) || hasSecret(in.Routes...) {
		x.refuse(refuseSecret())
		return
	}
	order := schema.ExceptionOrder{Agent: in.Agent, Family: in.Family, Routes: in.Routes}
	if err := checkException(&order); err != nil {
		x.refuse(&refusal{http.StatusUnprocessableEntity, "exception", err})
		return
	}
	notes := []string{}
	if isName(in.Agent) && !e.targets.isKnown(schema.Scope{Kind: schema.ScopeAgent, Value: in.Agent}) {
		notes = append(notes, "this point has met no established agent of that name yet")
	}
	x.submit(change{command: schema.Command{Kind: schema.CommandException, TTL: in.Seconds * 1e9, By: x.by(in.By), Reason: in.Reason,
		Exception: &order}, success: enforce.ExceptionAdded, statuses: exceptionStatuses, until: func(id string) string {
		if l := e.line(x.caller.tenant, id); l != nil {
			return l.Expires
		}
		return ""
	}, answer: func(r ChangeResult) any { return ExceptionResult{r, notes} }})
}

// checkException returns an error unless the exception is for a family that exists and can have
// one.
func checkException(order *schema.ExceptionOrder) error {
	if _, err := exception.Validate(order); err != nil {
		return err
	}
	families := slices.DeleteFunc(playbook.Families(), func(f string) bool { return !policy.Exceptable(f) })
	if !matchesAny(order.Family, families) {
		return fmt.Errorf("family: matches none of %s", strings.Join(families, ", "))
	}
	return nil
}

func (e *exceptions) remove(x *exchange, in *RemoveExceptionRequest) {
	id := x.r.PathValue("id")
	l := e.line(x.caller.tenant, id)
	if l == nil {
		x.refuse(refused(http.StatusNotFound, string(enforce.NoSuchException), "no such exception, or it has ended; exceptions of "+
			"the configuration are changed there"))
		return
	}
	x.submit(change{command: schema.Command{Kind: schema.CommandExceptionRemove, By: x.by(in.By), Reason: in.Reason,
		Exception: &schema.ExceptionOrder{ID: id}}, success: enforce.ExceptionRemoved, statuses: exceptionStatuses, met: metException(l)})
}
