package api

import (
	"net/http"
	"strconv"

	"flyball/detect/enforce"
	"flyball/schema"
)

// findings holds the operations on findings.
type findings struct{ *server }

const (
	defaultFindings = 100
	maxFindings     = 1000
)

func (f *findings) operations() []operation {
	out := []operation{
		withBody(operation{path: "/v1/findings/{id}/verdict", id: "verdict", role: Responder, answer: ChangeResult{},
			problems: []int{404, 409}, summary: "Record a verdict on a finding: true, benign or test"}, f.label),
	}
	if f.o.Findings != nil {
		out = append(out, operation{method: http.MethodGet, path: "/v1/findings", id: "findings", role: Viewer,
			summary: "Findings, the latest first", query: []queryParameter{{"limit", "integer", "at most this many, 1 to 1000"}},
			answer: []map[string]any{}, problems: []int{400, 503}, serve: f.list})
	}
	return out
}

func (f *findings) label(x *exchange, in *LabelFindingRequest) {
	id := x.r.PathValue("id")
	if no := f.checkOwner(x, id); no != nil {
		x.refuse(no)
		return
	}
	x.submit(change{command: schema.Command{Kind: schema.CommandVerdict, By: x.by(in.By), Reason: in.Why,
		Verdict: &schema.Verdict{FindingID: id, Label: in.Is}}, success: enforce.VerdictRecorded})
}

// checkOwner refuses a finding that does not belong to the tenant that the caller writes for. A
// caller without a list of tenants may also label a finding that is not stored yet, or while the
// database is unreachable.
func (f *findings) checkOwner(x *exchange, id string) *refusal {
	if f.o.HasFinding == nil {
		return nil
	}
	has, err := f.o.HasFinding(x.r.Context(), x.caller.tenant, id)
	switch {
	case err != nil && len(x.caller.tenants) == 0:
		f.o.Logger.Warn("the finding of a verdict could not be looked up; the verdict is taken", "finding", id, "error", err)
	case err != nil:
		f.o.Logger.Warn("a finding could not be looked up", "finding", id, "error", err)
		return databaseAway()
	case !has:
		return refused(http.StatusNotFound, "no_such_finding", "%q: no such finding, or it is not stored yet", id)
	}
	return nil
}

func databaseAway() *refusal {
	return refused(http.StatusServiceUnavailable, "database", "the database does not answer")
}

func (f *findings) list(x *exchange) {
	limit := defaultFindings
	if query := x.r.URL.Query(); query.Has("limit") {
		n, err := strconv.Atoi(query.Get("limit"))
		if err != nil || n < 1 || n > maxFindings {
			x.refuse(refused(http.StatusBadRequest, "query", "limit: %q; 1 to %d", query.Get("limit"), maxFindings))
			return
		}
		limit = n
	}
	found, err := f.o.Findings(x.r.Context(), x.caller.tenants, limit)
	if err != nil {
		x.refuse(databaseAway())
		f.o.Logger.Warn("findings could not be read", "error", err)
		return
	}
	x.respond(found)
}
