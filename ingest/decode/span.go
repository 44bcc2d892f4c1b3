package decode

import (
	"cmp"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"flyball/ingest/fields"
	"flyball/schema"
)

// spanKey identifies a span.
type spanKey struct {
	trace pcommon.TraceID
	span  pcommon.SpanID
}

// spanAgent is the agent that a span names.
type spanAgent struct {
	id, name, version, conversation, user string
	parent                                pcommon.SpanID
}

// traces reads spans. Spans that are not calls are not items: other spans describe the same requests.
func (dec otlpReader) traces(t ptrace.Traces, inJSON bool) {
	var agents map[spanKey]spanAgent
	var of ptrace.ResourceSpans
	eachSpan(t, func(rs ptrace.ResourceSpans, s ptrace.Span) bool {
		signs := signsOf(s)
		op := signs.name(s.Name())
		if why := signs.isCall(s, op); why != isACall {
			dec.leave(Left(why))
			return true
		}
		if rs != of {
			of, agents = rs, collectAgents(rs)
		}
		bytesOf := func() []byte { return spanBytes(rs, s, inJSON) }
		if int(dec.item) >= dec.p.opt.MaxItems {
			dec.isFull(bytesOf())
			return false
		}
		readSpan(dec.beginCall(), rs.Resource().Attributes(), s, op, agents)
		dec.endCall(bytesOf)
		return true
	})
}

func eachSpan(t ptrace.Traces, each func(rs ptrace.ResourceSpans, s ptrace.Span) bool) {
	for i := range t.ResourceSpans().Len() {
		rs := t.ResourceSpans().At(i)
		for j := range rs.ScopeSpans().Len() {
			spans := rs.ScopeSpans().At(j).Spans()
			for k := range spans.Len() {
				if !each(rs, spans.At(k)) {
					return
				}
			}
		}
	}
}

// spanBytes returns an export of one span, in the original encoding.
func spanBytes(rs ptrace.ResourceSpans, s ptrace.Span, inJSON bool) []byte {
	one := ptrace.NewTraces()
	to := one.ResourceSpans().AppendEmpty()
	rs.Resource().CopyTo(to.Resource())
	s.CopyTo(to.ScopeSpans().AppendEmpty().Spans().AppendEmpty())
	var m ptrace.Marshaler = &ptrace.ProtoMarshaler{}
	if inJSON {
		m = &ptrace.JSONMarshaler{}
	}
	out, err := m.MarshalTraces(one)
	if err != nil {
		return nil
	}
	return out
}

// collectAgents maps the spans of one service to the agents they name, or returns nil if they name none. The agent of a span also applies
// to its descendants in the same service, but not to spans of other services, which stay calls of those services.
func collectAgents(rs ptrace.ResourceSpans) map[spanKey]spanAgent {
	found := false
	out := map[spanKey]spanAgent{}
	for j := range rs.ScopeSpans().Len() {
		spans := rs.ScopeSpans().At(j).Spans()
		for k := range spans.Len() {
			s := spans.At(k)
			a := spanAgent{parent: s.ParentSpanID()}
			a.id, a.name = attr(s, "gen_ai.agent.id"), cmp.Or(attr(s, "gen_ai.agent.name"), attr(s, "agent.name"))
			if a.id != "" || a.name != "" {
				found = true
				a.version, a.user = attr(s, "gen_ai.agent.version"), cmp.Or(attr(s, "user.id"), attr(s, "enduser.id"))
				a.conversation = cmp.Or(attr(s, "gen_ai.conversation.id"), attr(s, "session.id"))
			}
			out[spanKey{s.TraceID(), s.SpanID()}] = a
		}
	}
	if !found {
		return nil
	}
	return out
}

func attr(s ptrace.Span, key string) string { return attrText(s.Attributes(), key) }

func readSpan(d *draft, res pcommon.Map, s ptrace.Span, op string, agents map[spanKey]spanAgent) {
	c, ev := &d.call, &d.ev
	c.Format = formatOTLPSpans
	c.TraceID, c.SpanID, c.ParentSpanID = s.TraceID(), s.SpanID(), s.ParentSpanID()
	d.ranks.trace, d.ranks.span = rankTraceSpan, rankTraceSpan
	c.SampleWeight = sampledWeight(s.TraceState().AsRaw())
	setClock(d, s.StartTimestamp(), schema.BasisStart)
	if from, to := s.StartTimestamp(), s.EndTimestamp(); d.timed && to >= from && to-from <= maxDuration {
		c.DurationNs = int64(to - from)
	}
	setService(d, res)
	s.Attributes().Range(func(key string, v pcommon.Value) bool {
		d.readingFrom(key)
		d.attribute(key, v)
		return true
	})
	setSpanKind(d, s, op)
	inheritAgent(d, s, agents)
	if c.API == "" && c.ObserverKind != schema.ObserverClient && c.ObserverKind != schema.ObserverAgentRuntime {
		c.API = c.Observer
	}
	if s.Status().Code() == ptrace.StatusCodeError {
		d.failed = true
		c.ErrorMessage = cmp.Or(c.ErrorMessage, valid(s.Status().Message()))
	} else if c.Status == 0 && c.ErrorType == "" && c.RPCStatus == "" && ev.GenAIOperation && !d.failed {
		c.Outcome = schema.OutcomeOK // such spans mark only failures
	}
}

// setSpanKind sets the kind of observer and the kind of operation.
func setSpanKind(d *draft, s ptrace.Span, op string) {
	c, ev := &d.call, &d.ev
	if op != "" {
		ev.GenAIOperation = true
		if kind, known := operations[op]; known {
			c.OpKind, op = kind, strings.ToLower(op)
		}
		c.Operation = op
		ev.AgentSpan = c.OpKind == schema.OpAgentInvoke
	}
	if c.OpKind == schema.OpTool && c.ToolName == "" {
		c.ToolName = cmp.Or(attr(s, "traceloop.entity.name"), attr(s, "genkit:name"), valid(toolOfName(s.Name())), attr(s, "name"))
	}
	if ev.AgentSpan && ev.GenAIAgentName == "" && ev.GenAIAgentID == "" {
		ev.GenAIAgentName = cmp.Or(attr(s, "agent_name"), attr(s, "ai.telemetry.functionId"), attr(s, "traceloop.entity.name"),
			attr(s, "genkit:name"))
	}
	if c.MCPMethod == "" && attr(s, "mcp.tool.name") != "" { // Sentry and LiteLLM name the tool alone
		c.MCPMethod = "tools/call"
	}
	if c.MCPMethod != "" {
		c.OpKind, c.Operation, ev.GenAIOperation = schema.OpMCP, "", true
		if c.ToolName == "" && c.MCPMethod == "tools/call" {
			c.ToolName = valid(toolOfName(s.Name()))
		}
	}
	if c.OpKind == schema.OpGRPC {
		setGRPCSpan(d, s)
	}
	if c.Method == "" && c.Operation == "" && c.MCPMethod == "" {
		c.Operation = valid(s.Name()) // service/method for gRPC; a name that the service chose for others
	}
	switch {
	case s.Kind() == ptrace.SpanKindServer && c.MCPMethod != "":
		c.ObserverKind = schema.ObserverToolServer
	case s.Kind() == ptrace.SpanKindServer:
		c.ObserverKind = schema.ObserverServer
	case op != "" || s.Kind() != ptrace.SpanKindClient:
		c.ObserverKind = schema.ObserverAgentRuntime
	default:
		c.ObserverKind = schema.ObserverClient
	}
}

// setGRPCSpan sets path, method and status of a gRPC call as a proxy on its way logs them.
func setGRPCSpan(d *draft, s ptrace.Span) {
	c := &d.call
	method := attr(s, "rpc.method")
	if service := attr(s, "rpc.service"); service != "" && method != "" && !strings.Contains(method, "/") {
		method = service + "/" + method
	}
	if method = strings.TrimPrefix(cmp.Or(method, valid(s.Name())), "/"); c.Path == "" && d.target == "" && strings.Count(method, "/") == 1 {
		c.Path = "/" + method
		c.Method = cmp.Or(c.Method, "POST")
	}
	d.grpc = cmp.Or(d.grpc, c.RPCStatus)
}

// inheritAgent sets the agent from the span's ancestors, if the span names none.
func inheritAgent(d *draft, s ptrace.Span, agents map[spanKey]spanAgent) {
	ev := &d.ev
	at := s.SpanID()
	for n := 0; n < fields.MaxDepth && at != (pcommon.SpanID{}); n++ { // bounded, because parents may form a cycle
		a, ok := agents[spanKey{s.TraceID(), at}]
		if !ok {
			break
		}
		if ev.GenAIAgentID == "" && ev.GenAIAgentName == "" && (a.id != "" || a.name != "") {
			ev.GenAIAgentID, ev.GenAIAgentName, ev.AgentVersion = a.id, a.name, a.version
		}
		choose(&d.ranks.conversation, rankConversationInherited, &ev.Conversation, a.conversation)
		ev.UserID = cmp.Or(ev.UserID, a.user)
		at = a.parent
	}
	if ev.AgentVersion == "" && (ev.GenAIAgentID != "" || ev.GenAIAgentName != "") {
		ev.AgentVersion = ev.ServiceVersion
	}
}

// setClock sets the start from a timestamp of the protocol. A time at the beginning of 1970 means "not set", as in other formats.
func setClock(d *draft, at pcommon.Timestamp, basis schema.Basis) {
	if at >= minEpoch && at <= maxTime {
		d.call.Start, d.call.TSPrecision, d.call.TSBasis = int64(at), schema.PrecisionNano, basis
		d.timed, d.end = true, false
	}
}

// setService reads the resource: the observer and where it runs.
func setService(d *draft, res pcommon.Map) {
	ev := &d.ev
	ev.ServiceName, ev.ServiceVersion = attrText(res, "service.name"), attrText(res, "service.version")
	ev.GenAIAgentID, ev.GenAIAgentName = attrText(res, "gen_ai.agent.id"), attrText(res, "gen_ai.agent.name")
	d.call.Observer = cmp.Or(ev.ServiceName, attrText(res, "cluster_name"), attrText(res, "node_name"))
	for _, key := range [...]string{"k8s.pod.name", "k8s.namespace.name", "k8s.container.name", "host.name"} {
		if t := attrText(res, key); t != "" {
			d.keep(key, t)
		}
	}
}
