package check

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"flyball/detect/enforce/approval"
	"flyball/detect/enforce/manifest"
	"flyball/schema"
)

// gateQuery returns what a grant of a call must match: all known properties of the call.
func (r reader) gateQuery(e *evaluation) approval.Query {
	call, run := e.decided, e.req.RunID
	q := approval.Query{Tenant: call.Tenant, Route: call.RouteName(), Holder: "agent:" + call.AgentID, Resource: lastResource(call)}
	if call.AgentTrust < schema.TrustInfrastructure { // a caller that only claims the name is a different holder
		q.Holder = "claimed:" + call.ClientIP.String() + "/" + call.AgentID
	}
	switch {
	case !run.IsZero():
		q.Holder = "run:" + run.String()
	case call.CredentialID != "":
		q.Holder = "credential:" + call.CredentialID
	}
	if e.req.Spellings != nil {
		q.Spellings = e.req.Spellings(call)
	}
	q.Amount, q.Currency = manifest.AmountAsWritten(call)
	q.BodyTruncated = e.q.truncated
	q.ArgsDigest = strconv.FormatUint(call.ArgsDigest, 16) + "-" + strconv.FormatUint(call.BytesIn, 10)
	if e.q.truncated {
		q.ArgsDigest += "-cut"
	}
	if call.Host != "" {
		q.ArgsDigest += "-" + strconv.FormatUint(r.o.Routes.Digest("host "+call.Host), 16)
	}
	if call.Method == schema.OtherMethod {
		q.ArgsDigest += "-" + strconv.FormatUint(r.o.Routes.Digest(e.q.method), 16)
	}
	if e.q.override != "" {
		q.ArgsDigest += "-" + strconv.FormatUint(r.o.Routes.Digest(e.q.override), 16)
	}
	if rest := queryWithout(e.q.query, call.Resources); rest != "" {
		q.QueryDigest = strconv.FormatUint(r.o.Routes.Digest(rest), 16)
	}
	return q
}

// queryWithout returns a query without the parameters that name resources: a grant that a person
// extends to other resources must still match the rest.
func queryWithout(query string, named []schema.Resource) string {
	var out strings.Builder
	for pair := range strings.SplitSeq(query, "&") {
		_, value, _ := strings.Cut(pair, "=")
		if v, err := url.QueryUnescape(value); err == nil {
			value = v
		}
		if !slices.ContainsFunc(named, func(r schema.Resource) bool { return r.Source == schema.ProvenanceQuery && r.ID == value }) {
			out.WriteString("&" + pair)
		}
	}
	return strings.Trim(out.String(), "&")
}
