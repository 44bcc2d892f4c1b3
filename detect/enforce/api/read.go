package api

import (
	"encoding/binary"
	"strconv"
	"strings"

	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// sign gives the answer its receipt.
func (c *Control) sign(a *answer, call *schema.Call, id uint64, q *request) {
	var decision [8]byte
	binary.LittleEndian.PutUint64(decision[:], id)
	var err error
	if a.receipt, err = c.o.Resolver.Sign(call, decision, q.method, q.path); err != nil {
		c.m.unsigned.Inc()
	}
}

// read makes a call of a request by the rules of the log side. The error is a named
// reason to refuse the request.
func (c *Control) read(q *request) (call schema.Call, shown identity.Shown, assertedType string, problem error) {
	now := c.o.Now()
	call = schema.Call{ObserverKind: schema.ObserverGate, Observer: "flyball", Format: "check/1", Start: now.UnixNano(), KafkaTime: now.UnixNano(), DurationNs: -1,
		TSPrecision: schema.PrecisionNano, TSBasis: schema.BasisStart, OpKind: schema.OpHTTP, Method: strings.ToUpper(q.method), Host: strings.ToLower(q.host)}
	path, query, _ := strings.Cut(q.path, "?")
	call.Path, q.query = path, query
	if n, err := strconv.ParseUint(q.headers("content-length"), 10, 63); err == nil {
		call.BytesIn = n
	}
	for _, h := range c.o.Routes.MoneyHeaders() {
		if v := q.all(h); v != "" {
			call.SetAttr("header."+h, v)
		}
	}
	shown, problem = c.o.Resolver.ResolveRequest(q.headers, query, q.client, &call)
	q.override = q.overrides()
	in := route.Input{RawQuery: query, MethodOverride: q.override}
	if q.cut = q.partial(); q.cut {
		in.Form = q.body[:min(len(q.body), MaxBody)] // no amount and no tool is read of a part
	} else if len(q.body) > 0 {
		in.ReadBody(call.Method, q.body)
	}
	q.others, q.readable = c.o.Routes.Readings(&call, &in)
	call.Path = path[:min(len(path), schema.MaxPath)]
	return call, shown, q.headers("x-task-type"), problem
}
