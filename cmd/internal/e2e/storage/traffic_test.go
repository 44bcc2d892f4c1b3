package storage

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"flyball/schema"
)

// gateway generates the calls that a gateway logs: agents, each with one run at a time, on a
// few routes. ids adds trace and request ids.
type gateway struct {
	r      *rand.Rand
	agents int
	ids    bool
	n      int
	base   int64
}

func newGateway(seed uint64, agents int, ids bool) *gateway {
	return &gateway{r: rand.New(rand.NewPCG(seed, 11)), agents: agents, ids: ids,
		base: time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC).UnixNano()}
}

var routes = []struct{ method, route, kind string }{
	{"GET", "/orders/{id}", "order"}, {"GET", "/orders/{id}/items", "order"}, {"GET", "/customers/{id}", "customer"},
	{"POST", "/refunds/{id}", "refund"}, {"GET", "/search", "search"}, {"DELETE", "/files/{id}/content", "file"},
}

func (g *gateway) next(c *schema.Call) {
	i := g.n
	g.n++
	k := g.r.IntN(len(routes))
	rt := routes[k]
	agent := g.r.IntN(g.agents)
	id := fmt.Sprint(g.r.IntN(100000))
	path := rt.route
	var query []string
	res := schema.Resource{Type: rt.kind, ID: id, Source: schema.ProvenancePath}
	if at := len("/"+rt.kind) + 2; rt.kind == "search" {
		query = []string{"q"}
		res = schema.Resource{Type: "search", ID: "*", Source: schema.ProvenanceNotLogged}
	} else {
		path = rt.route[:at] + id + rt.route[at+len("{id}"):]
	}
	name := fmt.Sprint("agent-", agent)
	run := schema.RunIdentity{Tenant: "default", RoutingActor: name, Rule: schema.RunExplicit, Key: fmt.Sprintf("run-%d-%d", agent, i/1000000)}
	effect, rev := schema.EffectRead, schema.ReadOnly
	switch rt.method {
	case "POST":
		effect, rev = schema.EffectCreate, schema.Compensable
	case "DELETE":
		effect, rev = schema.EffectDelete, schema.Irreversible
	}
	dur := int64(g.r.IntN(100)) * 1e6
	*c = schema.Call{
		Source: schema.Source{Topic: "gateway-logs", TopicID: schema.TopicID{7, 3, 1}, Partition: int32(agent % 8)},
		Pos:    schema.Position{Offset: int64(i / 8)},
		Format: "envoy_json/1", ObserverKind: schema.ObserverGateway, Observer: "edge", Tenant: "default",
		Start: g.base + int64(i)*1e6, KafkaTime: g.base + int64(i)*1e6 + dur + int64(g.r.IntN(50))*1e6, DurationNs: dur,
		TSPrecision: schema.PrecisionMilli, TSBasis: schema.BasisStart,
		OpKind: schema.OpHTTP, Method: rt.method, Host: "orders.internal", Path: path, QueryKeys: query, Route: rt.route,
		RouteSource: schema.RouteHeuristic,
		API:         "outbound|8080||orders", Operation: rt.method + " " + rt.route,
		Status: 200, Outcome: schema.OutcomeOK, UpstreamNs: int64(g.r.IntN(100)) * 1e6, Attempts: 1,
		BytesIn: uint64(g.r.IntN(500)), BytesOut: uint64(g.r.IntN(5000)),
		ClientIP: netip.AddrFrom4([4]byte{10, 0, byte(agent >> 8), byte(agent)}), UserAgent: "python-httpx/0.27.0", UAProduct: "python-httpx",
		AgentID: name, AgentSource: "header:x-agent-id", AgentTrust: schema.TrustAsserted, CallerKind: schema.CallerAgent, CallerConfidence: 50,
		RunKey: run.Key, RunKeySource: "x_agent_run_id", RunID: run.ID(), RunRule: schema.RunExplicit, RunConfidence: 100,
		RoutingKey: name, ActorHash: schema.HashActor(name),
		CallsPart: int32(agent % 8), CallsOffset: int64(i / 200), Segment: int64(i / 1000000),
		ArgsDigest: g.r.Uint64(), ArgsDigestBasis: schema.DigestURL, ResultDigest: g.r.Uint64(), ResultDigestBasis: schema.DigestOutcome,
		Effect: effect, EffectSource: schema.ProvenanceMethod, Reversibility: rev, ReversibilitySource: schema.ProvenanceMethod,
		Resources: []schema.Resource{res},
		Attrs: []schema.Attr{{Key: "protocol", Value: "HTTP/1.1"}, {Key: "response_code_details", Value: "via_upstream"},
			{Key: "upstream_host", Value: "10.1.2.3:8080"}},
	}
	if g.ids {
		for i := range c.TraceID {
			c.TraceID[i] = byte(g.r.Uint32())
		}
		for i := range c.SpanID {
			c.SpanID[i] = byte(g.r.Uint32())
		}
		c.RequestID = fmt.Sprintf("%08x-%04x-4%03x-9%03x-%012x", g.r.Uint32(), g.r.IntN(1<<16), g.r.IntN(1<<12), g.r.IntN(1<<12),
			g.r.Uint64()>>16)
	}
}

func touchOf(c *schema.Call) schema.Touch {
	return schema.Touch{Tenant: c.Tenant, Resource: c.Resources[0], RunID: c.RunID, Actor: c.ActorHash, Effect: c.Effect,
		Reversibility: c.Reversibility,
		First:         c.Start, Last: c.Start}
}
