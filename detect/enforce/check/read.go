package check

import (
	"encoding/binary"
	"strconv"
	"strings"

	"flyball/detect/enforce"
	"flyball/detect/enforce/ledger"
	"flyball/detect/model/baseline"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// reader converts requests to calls, by the rules of ingest.
type reader struct {
	o *Options
	m *metrics
	// spellings is Options.spellings: a value of the method for each request would cost memory.
	spellings func(*schema.Call) []string
}

// sign sets the receipt of the answer.
func (r reader) sign(e *evaluation, id uint64) {
	var decision [8]byte
	binary.LittleEndian.PutUint64(decision[:], id)
	var err error
	if e.a.receipt, err = r.o.Resolver.Sign(e.call, decision, e.q.method, e.q.path); err != nil {
		r.m.unsigned.Inc()
	}
}

// read converts a request to a call by the rules of ingest, and both to a
// ledger.Request. The error is the named reason for a refusal.
func (r reader) read(e *evaluation) error {
	q, now := e.q, r.o.Now().UnixNano()
	call := &schema.Call{ObserverKind: schema.ObserverGate, Observer: "flyball", Format: "check/1", Start: now, KafkaTime: now,
		DurationNs: -1, TSPrecision: schema.PrecisionNano, TSBasis: schema.BasisStart, OpKind: schema.OpHTTP,
		Method: identity.CanonicalMethod(q.method), Host: strings.ToLower(schema.Cut(q.host, schema.MaxID))}
	path, query, _ := strings.Cut(q.path, "?")
	call.Path, q.query = path, query
	if n, err := strconv.ParseUint(q.headers("content-length"), 10, 63); err == nil {
		call.BytesIn = n
	}
	for _, h := range r.o.Routes.MoneyHeaders() {
		if v := q.all(h); v != "" {
			call.SetAttr("header."+h, schema.Cut(v, schema.MaxAttrValue))
		}
	}
	shown, problem := r.o.Resolver.ResolveRequest(q.headers, query, q.client, call)
	q.override = q.methodOverrides()
	in := route.Input{RawQuery: query, MethodOverride: q.override}
	if q.truncated = q.isTruncated(); q.truncated {
		in.Form = q.body[:min(len(q.body), MaxBody)] // no amount and no tool are read from a truncated body
	} else if len(q.body) > 0 {
		in.ReadBody(call.Method, q.body)
	}
	q.others, q.readable = r.o.Routes.Readings(call, &in)

	e.call, e.req = call, &ledger.Request{
		Request: enforce.Request{Call: call, Credentials: shown.Credentials, Claimed: shown.Claimed,
			Spellings: r.spellings, ClaimedTaskType: q.headers("x-task-type")},
		Armed: r.o.Armed, Tags: r.o.Tags, ApprovalWithoutManifest: r.o.ApprovalWithoutManifest ||
			r.o.Learning != nil && r.o.Learning(baseline.AgentKey(call.AgentID, call.AgentTrust))}
	if r.o.Scopes != nil {
		e.req.Scopes = r.o.Scopes()
	}
	nameRuns(e.req)
	return problem
}

// nameRuns sets the ids of the run that a call names, and of those that it is part of.
func nameRuns(req *ledger.Request) {
	call := req.Call
	if call.RunKey == "" {
		return
	}
	run := schema.RunIdentity{Tenant: call.Tenant, RoutingActor: call.RoutingKey, Credential: call.CredentialID,
		Rule: schema.RunExplicit, Key: call.OwnRunKey()}
	req.RunID = run.ID()
	for _, run.Key = range call.ParentRunKeys() {
		req.Parents = append(req.Parents, run.ID())
	}
}
