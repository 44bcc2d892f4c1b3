package main

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"flyball/schema"
)

// Sizes of the population of a history. Popularity is skewed: a tenth of the agents make most calls.
const (
	historyAgents     = 2_000
	historyPrincipals = 20_000
	historyResources  = 2_000_000
	historyHosts      = 12
	historyRoutes     = 60
	callsPerRun       = 4   // mean
	runsPerLevel      = 200 // of which one gets a level, as of clean runs at ordinary thresholds
)

// history generates calls in the order of their time: runs that overlap, of agents with skewed popularity.
type history struct {
	r          *rand.Rand
	agents     *rand.Zipf
	principals *rand.Zipf
	resources  *rand.Zipf
	routes     *rand.Zipf
	n          int // calls made so far
	perSecond  float64
	opens      int64 // time of the next run's first call, Unix ns
	open       openRuns
	offsets    [8]int64
	trace      [16]byte // a recent trace, which a run of another agent may continue
}

// historyRun is a run under way.
type historyRun struct {
	next    int64 // time of its next call
	left    int
	agent   int
	address netip.Addr
	trace   [16]byte
	snap    schema.RunSnapshot
	cred    string
	human   string
}

type openRuns []*historyRun

func (h openRuns) Len() int           { return len(h) }
func (h openRuns) Less(i, j int) bool { return h[i].next < h[j].next }
func (h openRuns) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *openRuns) Push(x any)        { *h = append(*h, x.(*historyRun)) }
func (h *openRuns) Pop() any {
	last := len(*h) - 1
	v := (*h)[last]
	*h = (*h)[:last]
	return v
}

func newHistory(calls, days int) *history {
	r := rand.New(rand.NewPCG(21, 5))
	from := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -days)
	return &history{r: r, agents: rand.NewZipf(r, 1.1, 8, historyAgents-1), principals: rand.NewZipf(r, 1.05, 20, historyPrincipals-1),
		resources: rand.NewZipf(r, 1.02, 1000, historyResources-1), routes: rand.NewZipf(r, 1.2, 3, historyRoutes-1),
		perSecond: float64(calls) / callsPerRun / (float64(days) * 24 * 3600), opens: from.UnixNano()}
}

// next makes the next call and returns its run.
func (h *history) next(c *schema.Call) *historyRun {
	if len(h.open) == 0 || h.opens <= h.open[0].next {
		heap.Push(&h.open, h.start())
	}
	run := h.open[0]
	h.call(c, run)
	if run.left--; run.left == 0 {
		heap.Pop(&h.open)
		run.snap.State = schema.RunClosed
		if h.r.IntN(runsPerLevel) == 0 {
			run.snap.Score, run.snap.Level = 4+3*h.r.Float64(), schema.LevelAnnotate+schema.Level(h.r.IntN(2))
		}
		run.snap.Version++
		return run
	}
	run.next += int64((0.2 + h.r.ExpFloat64()*20) * float64(time.Second))
	heap.Fix(&h.open, 0)
	return run
}

// start opens a run; by day more runs begin than by night.
func (h *history) start() *historyRun {
	at := h.opens
	hour := float64(at/int64(time.Hour)%24) / 24
	rate := h.perSecond * (1 - 0.7*math.Cos(2*math.Pi*hour))
	h.opens += int64(h.r.ExpFloat64() / rate * float64(time.Second))
	agent := int(h.agents.Uint64())
	run := &historyRun{next: at, left: 1 + min(int(h.r.ExpFloat64()*(callsPerRun-0.5)), 400), agent: agent,
		cred: fmt.Sprintf("key:%016x", uint64(agent*4+h.r.IntN(1+agent%3))*0x9e3779b97f4a7c15)}
	where := agent*7 + h.r.IntN(1+agent%20)
	run.address = netip.AddrFrom4([4]byte{10, byte(where >> 16), byte(where >> 8), byte(where)})
	if agent%3 == 0 {
		run.human = fmt.Sprintf("user-%d@example.com", h.principals.Uint64())
	}
	name := fmt.Sprintf("team-%d/agent-%d", agent%40, agent)
	key := fmt.Sprintf("job-%016x", h.r.Uint64())
	rule := schema.RunExplicit
	if agent%5 >= 3 { // no run id in the log
		rule = schema.RunSession
	}
	id := schema.RunIdentity{Tenant: "default", RoutingActor: "g:" + name, Credential: run.cred, Rule: rule, Key: key}
	run.snap = schema.RunSnapshot{RunID: id.ID(), Segment: int64(h.n / 200), CallsPart: int32(agent % 8), Tenant: "default",
		Actor: "g:" + name,
		Rule:  rule, Confidence: 100, AgentID: name, AgentName: name, AgentVersion: fmt.Sprintf("1.%d", agent%9),
		AgentSource: "header:x-consumer",
		AgentTrust:  schema.TrustInfrastructure, CredentialID: run.cred, CredentialKind: schema.CredentialAPIKey, PrincipalID: run.human,
		CallerKind: schema.CallerAgent, StartedAt: at, OpenedDay: schema.DayOf(at)}
	if rule == schema.RunExplicit {
		run.snap.RunKey = key
	}
	if h.r.IntN(10) == 0 {
		run.trace = h.trace
	} else {
		run.trace = h.id16()
	}
	return run
}

func (h *history) id16() (id [16]byte) {
	binary.LittleEndian.PutUint64(id[:], h.r.Uint64())
	binary.LittleEndian.PutUint64(id[8:], h.r.Uint64())
	return id
}

func (h *history) call(c *schema.Call, run *historyRun) {
	at, route, s := run.next, int(h.routes.Uint64()), &run.snap
	kind := fmt.Sprint("kind", route%20)
	id := h.resources.Uint64()
	host := fmt.Sprintf("api-%d.internal", route%historyHosts)
	part := s.CallsPart
	method, effect, undo := "GET", schema.EffectRead, schema.ReadOnly
	switch route % 7 {
	case 5:
		method, effect, undo = "POST", schema.EffectCreate, schema.Compensable
	case 6:
		method, effect, undo = "DELETE", schema.EffectDelete, schema.Irreversible
	}
	took := int64(h.r.IntN(100)) * 1e6
	template := fmt.Sprintf("/v1/%s/{id}/part%d", kind, route)
	*c = schema.Call{
		Source: schema.Source{Topic: "gateway-logs", TopicID: schema.TopicID{7, 3, 1}, Partition: part},
		Pos:    schema.Position{Offset: h.offsets[part]},
		Format: "envoy_json/1", ObserverKind: schema.ObserverGateway, Observer: "edge", Tenant: "default",
		Start: at, KafkaTime: at + took + int64(h.r.IntN(50))*1e6, DurationNs: took, TSPrecision: schema.PrecisionMilli,
		TSBasis: schema.BasisStart,
		OpKind:  schema.OpHTTP, Method: method, Host: host, Path: fmt.Sprintf("/v1/%s/%d/part%d", kind, id, route), Route: template,
		RouteSource: schema.RouteHeuristic, API: "outbound|8080||" + kind, Operation: method + " " + template,
		Status: 200, Outcome: schema.OutcomeOK, UpstreamNs: int64(h.r.IntN(100)) * 1e6, Attempts: 1,
		BytesIn: uint64(h.r.IntN(500)), BytesOut: uint64(h.r.IntN(5000)),
		ClientIP: run.address, UserAgent: "python-httpx/0.27.0", UAProduct: "python-httpx", TraceID: run.trace,
		RequestID: fmt.Sprintf("%08x-%04x-4%03x-9%03x-%012x", h.r.Uint32(), h.r.IntN(1<<16), h.r.IntN(1<<12), h.r.IntN(1<<12), h.r.Uint64()>>16),
		AgentID:   s.AgentID, AgentName: s.AgentName, AgentVersion: s.AgentVersion, AgentSource: s.AgentSource, AgentTrust: s.AgentTrust,
		CredentialID: run.cred, CredentialKind: s.CredentialKind, CredentialSource: "header:x-api-key",
		CredentialTrust: schema.TrustInfrastructure,
		PrincipalID:     run.human, CallerKind: schema.CallerAgent, CallerConfidence: 50,
		RunKey: s.RunKey, RunID: s.RunID, RunRule: s.Rule, RunConfidence: 100, RoutingKey: s.Actor, ActorHash: schema.HashActor(s.Actor),
		CallsPart:   part,
		CallsOffset: h.offsets[part] / 25, Segment: s.Segment,
		ArgsDigest: h.r.Uint64(), ArgsDigestBasis: schema.DigestURL, ResultDigestBasis: schema.DigestOutcome,
		Effect: effect, EffectSource: schema.ProvenanceMethod, Reversibility: undo, ReversibilitySource: schema.ProvenanceMethod,
		Resources: []schema.Resource{{Type: kind, ID: fmt.Sprint(id), Source: schema.ProvenancePath}},
		Attrs: []schema.Attr{{Key: "protocol", Value: "HTTP/1.1"}, {Key: "response_code_details", Value: "via_upstream"},
			{Key: "upstream_host", Value: "10.1.2.3:8080"}},
	}
	if s.RunKey != "" {
		c.RunKeySource = "x_agent_run_id"
	}
	if h.r.IntN(50) == 0 {
		c.Status, c.Outcome = 503, schema.OutcomeServerError
		s.Errors++
	}
	binary.LittleEndian.PutUint64(c.SpanID[:], h.r.Uint64())
	h.offsets[part]++
	h.n++
	s.Calls++
	s.Version = 2 * s.Calls
	s.LastAt, s.BytesOut, s.DistinctRoutes, s.DistinctResources = at, s.BytesOut+c.BytesOut, uint32(s.Calls), uint32(s.Calls)
	if undo == schema.Irreversible {
		s.Irreversible++
	}
	if s.Calls == 1 {
		s.TraceID = run.trace
	}
	if h.r.IntN(5) < 2 { // the next calls of the run have another trace
		h.trace = run.trace
		run.trace = h.id16()
	}
}
