package api

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"flyball/detect/enforce"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
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
			problems: []int{404, 409},
			summary:  "Record a verdict on a finding: true, benign or test; another one than the one in force wants replace"}, f.label),
	}
	if f.o.Findings != nil {
		out = append(out, operation{method: http.MethodGet, path: "/v1/findings", id: "findings", role: Viewer,
			summary: "Findings, the latest first", query: []queryParameter{{"limit", "integer", "at most this many, 1 to 1000", maxFindings}},
			answer: []query.Finding{}, problems: []int{400, 503}, serve: f.list})
	}
	return out
}

func (f *findings) label(x *exchange, in *LabelFindingRequest) {
	id, last, known, rejected := f.resolve(x, x.r.PathValue("id"))
	if rejected != nil {
		x.refuse(rejected)
		return
	}
	met := []string{"no verdict was stored"}
	if !known {
		met = []string{"whether another verdict stands is not known: the finding could not be looked up"}
	}
	if last != nil {
		was := fmt.Sprintf("%s by %s at %s: %s", last.Label, last.By, timestamp(last.At), last.Why)
		if last.Label != in.Is && !in.Replace {
			x.refuse(refused(http.StatusConflict, whyOtherVerdict, "the verdict on %s is %s; replace (--replace) puts another one in its place, "+
				"and the history keeps both", id, was))
			return
		}
		met = []string{"the verdict was " + was}
	}
	x.submit(change{command: schema.Command{Kind: schema.CommandVerdict, By: x.by(in.By), Reason: in.Why,
		Verdict: &schema.Verdict{FindingID: id, Label: in.Is}}, success: enforce.VerdictRecorded, met: met})
}

// Named reasons for refusing a verdict.
const (
	whyNoFinding        = "no_such_finding"
	whyAmbiguousFinding = "ambiguous_finding"
	whyOtherVerdict     = "another_verdict_stands"
)

// resolve returns the id of the finding that a term fits, and the verdict in force on it (nil: none);
// known is false if the finding could not be looked up.
// It refuses a finding that does not belong to the tenant that the caller writes for. A caller
// without a list of tenants may also label a finding that is not stored yet, or while the database is
// unreachable: then the term is the id.
func (f *findings) resolve(x *exchange, term string) (id string, last *schema.Verdict, known bool, rejected *refusal) {
	if f.o.FindFinding == nil {
		return term, nil, false, nil
	}
	ids, last, err := f.o.FindFinding(x.r.Context(), x.caller.tenant, term)
	switch {
	case err != nil && len(x.caller.tenants) == 0 && schema.IsFindingID(term):
		f.o.Logger.Warn("the finding of a verdict could not be looked up; the verdict is taken", "finding", term, "error", err)
		return term, nil, false, nil
	case err != nil:
		f.o.Logger.Warn("a finding could not be looked up", "finding", term, "error", err)
		return "", nil, false, refused(http.StatusServiceUnavailable, "database", "the database does not answer, and without it only a token of "+
			"all tenants can judge a finding, by its whole id (f_ and 16 characters, as in the page): flyball doctor says what is wrong")
	case len(ids) == 0:
		return "", nil, false, refused(http.StatusNotFound, whyNoFinding, "%q: no such finding, or it is not stored yet", term)
	case len(ids) > 1:
		return "", nil, false, refused(http.StatusConflict, whyAmbiguousFinding, "%q fits %d findings: %s", term, len(ids),
			strings.Join(ids, ", "))
	}
	return ids[0], last, true, nil
}

func databaseAway() *refusal {
	return refused(http.StatusServiceUnavailable, "database", "the database does not answer: flyball doctor says what is wrong")
}

// limitOf returns how many rows a request wants.
func limitOf(r *http.Request, otherwise, most int) (int, *refusal) {
	query := r.URL.Query()
	if !query.Has("limit") {
		return otherwise, nil
	}
	n, err := strconv.Atoi(query.Get("limit"))
	if err != nil || n < 1 || n > most {
		return 0, refused(http.StatusBadRequest, "query", "limit: %q; 1 to %d", query.Get("limit"), most)
	}
	return n, nil
}

func (f *findings) list(x *exchange) {
	limit, rejected := limitOf(x.r, defaultFindings, maxFindings)
	if rejected != nil {
		x.refuse(rejected)
		return
	}
	found, err := f.o.Findings(x.r.Context(), x.caller.tenants, limit)
	if err != nil {
		x.refuse(databaseAway())
		f.o.Logger.Warn("findings could not be read", "error", err)
		return
	}
	x.respond(found)
}
