package decode

import (
	"fmt"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"flyball/ingest/redact"
	"flyball/schema"
)

// otlpProto reads an export request. pdata reads a request of the other signal
// as empty when it holds only resources: no items is an error, never nothing.
func (w *work) otlpProto(b []byte, signal string) {
	switch signal {
	case "logs":
		w.logsProto(b)
	case "", "traces":
		traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(b)
		if err == nil && traces.SpanCount() > 0 {
			w.traces(traces, b)
			return
		}
		if logs, lerr := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(b); lerr == nil && logs.LogRecordCount() > 0 {
			if signal == "" {
				w.logs(logs, b)
				return
			}
			w.bad(WrongSignal, "logs where traces are configured", b)
			return
		}
		if err != nil {
			w.bad(NotProto, err.Error(), b)
			return
		}
		w.bad(NoItems, "an export without spans", b)
	default:
		w.bad(WrongSignal, fmt.Sprintf("signal %.20q holds no calls", signal), b)
	}
}

func (w *work) logsProto(b []byte) {
	logs, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(b)
	if err == nil && logs.LogRecordCount() > 0 {
		w.logs(logs, b)
		return
	}
	if traces, terr := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(b); terr == nil && traces.SpanCount() > 0 {
		w.bad(WrongSignal, "traces where logs are configured", b)
		return
	}
	if err != nil {
		w.bad(NotProto, err.Error(), b)
		return
	}
	w.bad(NoItems, "an export without log records", b)
}

// otlpJSON reads an export request in JSON. pdata would read logs as no traces,
// stop at the end of the first document and recurse without a bound: key,
// trailing bytes and depth are checked here.
func (w *work) otlpJSON(b []byte, signal string) {
	i := space(b, 0)
	if i == len(b) || b[i] != '{' {
		w.bad(NotJSON, "an OTLP export in JSON is one object", b)
		return
	}
	end, err := skip(b, i, 0)
	if err != nil {
		w.bad(reasonOf(err), err.Error(), b)
		return
	}
	if space(b, end) != len(b) {
		w.bad(TrailingData, fmt.Sprintf("%d bytes after the document", len(b)-end), b)
		return
	}
	found := ""
	_, _ = members(b, i, 0, func(key []byte, v value) {
		switch canonical(key) {
		case "resourcespans", "resource_spans":
			found = "traces"
		case "resourcelogs", "resource_logs":
			found = "logs"
		}
	})
	switch {
	case found == "":
		w.bad(NoItems, "neither resourceSpans nor resourceLogs", b)
	case signal != "" && signal != found:
		w.bad(WrongSignal, found+" where "+signal+" are configured", b)
	case found == "traces":
		traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(b)
		if err != nil {
			w.bad(NotJSON, "does not parse as OTLP traces", b)
		} else if traces.SpanCount() == 0 {
			w.bad(NoItems, "an export without spans", b)
		} else {
			w.traces(traces, b)
		}
	default:
		logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(b)
		if err != nil {
			w.bad(NotJSON, "does not parse as OTLP logs", b)
		} else if logs.LogRecordCount() == 0 {
			w.bad(NoItems, "an export without log records", b)
		} else {
			w.logs(logs, b)
		}
	}
}

// agentOf is what a span says of the agent it belongs to, for its descendants.
type agentOf struct {
	id, name, version, conversation, user string
	parent                                pcommon.SpanID
}

// traces reads spans. What an agent's span says of itself holds for its
// descendants in the same export, too.
func (w *work) traces(t ptrace.Traces, b []byte) {
	agents := map[pcommon.SpanID]agentOf{}
	eachSpan(t, func(res pcommon.Map, s ptrace.Span) bool {
		a := agentOf{parent: s.ParentSpanID()}
		a.id, a.name = attr(s, "gen_ai.agent.id"), first(attr(s, "gen_ai.agent.name"), attr(s, "agent.name"))
		a.version, a.user = attr(s, "gen_ai.agent.version"), first(attr(s, "user.id"), attr(s, "enduser.id"))
		a.conversation = first(attr(s, "gen_ai.conversation.id"), attr(s, "session.id"))
		agents[s.SpanID()] = a
		return true
	})
	eachSpan(t, func(res pcommon.Map, s ptrace.Span) bool {
		if !isCall(s) {
			return true
		}
		if w.full(b) {
			return false
		}
		w.begin()
		w.d.span(res, s, agents)
		w.endOf(func() []byte { return spanBytes(s) })
		return true
	})
}

// spanBytes is the bytes of one span that becomes a dead letter: the export is
// marshalled again with that span alone, when it is needed.
func spanBytes(s ptrace.Span) []byte {
	one := ptrace.NewTraces()
	s.CopyTo(one.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty())
	out, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(one)
	if err != nil {
		return nil
	}
	return out
}

func eachSpan(t ptrace.Traces, each func(resource pcommon.Map, s ptrace.Span) bool) {
	for i := range t.ResourceSpans().Len() {
		rs := t.ResourceSpans().At(i)
		for j := range rs.ScopeSpans().Len() {
			spans := rs.ScopeSpans().At(j).Spans()
			for k := range spans.Len() {
				if !each(rs.Resource().Attributes(), spans.At(k)) {
					return
				}
			}
		}
	}
}

var agentOps = map[string]schema.OpKind{"invoke_agent": schema.OpAgentInvoke, "invoke_workflow": schema.OpAgentInvoke, "create_agent": schema.OpAgentInvoke,
	"execute_tool": schema.OpTool, "chat": schema.OpLLM, "generate_content": schema.OpLLM, "text_completion": schema.OpLLM, "embeddings": schema.OpLLM,
	"AGENT": schema.OpAgentInvoke, "TOOL": schema.OpTool, "LLM": schema.OpLLM}

func genOperation(s ptrace.Span) string {
	return first(attr(s, "gen_ai.operation.name"), attr(s, "openinference.span.kind"))
}

// isCall: server spans, client spans that say what they called, and internal
// spans that are an agent's or a tool's.
func isCall(s ptrace.Span) bool {
	op := genOperation(s)
	switch s.Kind() {
	case ptrace.SpanKindServer:
		return true
	case ptrace.SpanKindClient:
		return op != "" || first(attr(s, "http.request.method"), attr(s, "http.method")) != "" || attr(s, "mcp.method.name") != ""
	default:
		return op == "invoke_agent" || op == "invoke_workflow" || op == "execute_tool" || op == "AGENT" || op == "TOOL"
	}
}

func attr(s ptrace.Span, key string) string { return mapText(s.Attributes(), key) }

func mapText(m pcommon.Map, key string) string {
	v, ok := m.Get(key)
	if !ok {
		return ""
	}
	return valueText(v)
}

func valueText(v pcommon.Value) string {
	switch v.Type() {
	case pcommon.ValueTypeSlice:
		if v.Slice().Len() == 0 {
			return ""
		}
		return valueText(v.Slice().At(0))
	case pcommon.ValueTypeMap, pcommon.ValueTypeBytes, pcommon.ValueTypeEmpty:
		return ""
	case pcommon.ValueTypeStr:
		return present(v.Str())
	}
	return v.AsString()
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func (d *draft) span(res pcommon.Map, s ptrace.Span, agents map[pcommon.SpanID]agentOf) {
	c, ev := &d.call, &d.ev
	c.Format = formatOTLPTrace
	c.TraceID, c.SpanID, c.ParentSpanID = s.TraceID(), s.SpanID(), s.ParentSpanID()
	if s.StartTimestamp() > 0 && uint64(s.StartTimestamp()) < 1<<63 {
		c.Start, c.TSPrecision, d.timed = int64(s.StartTimestamp()), schema.PrecisionNano, true
		if s.EndTimestamp() >= s.StartTimestamp() && uint64(s.EndTimestamp()) < 1<<63 {
			c.DurationNs = int64(s.EndTimestamp() - s.StartTimestamp())
		}
	}
	op := genOperation(s)
	switch s.Kind() {
	case ptrace.SpanKindServer:
		c.ObserverKind = schema.ObserverServer
	case ptrace.SpanKindClient:
		c.ObserverKind = schema.ObserverClient
	default:
		c.ObserverKind = schema.ObserverAgentRuntime
	}
	if op != "" {
		c.ObserverKind, ev.GenAIOperation = schema.ObserverAgentRuntime, true
		c.OpKind = agentOps[op]
		c.Operation = strings.ToLower(op)
		ev.AgentSpan = c.OpKind == schema.OpAgentInvoke
	}
	c.Observer = mapText(res, "service.name")
	ev.ServiceName, ev.ServiceVersion = c.Observer, mapText(res, "service.version")
	ev.GenAIAgentID, ev.GenAIAgentName = mapText(res, "gen_ai.agent.id"), mapText(res, "gen_ai.agent.name")
	s.Attributes().Range(func(key string, v pcommon.Value) bool {
		d.attribute(key, v)
		return true
	})
	for at, n := s.SpanID(), 0; n < 32 && at != (pcommon.SpanID{}); n++ {
		a, ok := agents[at]
		if !ok {
			break
		}
		if ev.GenAIAgentID == "" && ev.GenAIAgentName == "" {
			ev.GenAIAgentID, ev.GenAIAgentName, ev.AgentVersion = a.id, a.name, a.version
		}
		ev.Conversation, ev.UserID = first(ev.Conversation, a.conversation), first(ev.UserID, a.user)
		at = a.parent
	}
	if ev.AgentVersion == "" && ev.GenAIAgentID != "" {
		ev.AgentVersion = ev.ServiceVersion
	}
	if c.API == "" && c.ObserverKind == schema.ObserverServer {
		c.API = c.Observer
	}
	if s.Status().Code() == ptrace.StatusCodeError && c.ErrorType == "" {
		c.ErrorType = "error"
		c.ErrorMessage = d.safe(s.Status().Message())
	}
	if c.Status == 0 && c.ErrorType == "" && s.Status().Code() != ptrace.StatusCodeError && c.RPCStatus == "" && op != "" {
		c.Outcome = schema.OutcomeOK
	} else if c.Status == 0 && c.ErrorType != "" {
		c.Outcome = schema.OutcomeToolError
	}
}

// attribute takes in an attribute of a span, old names and new.
func (d *draft) attribute(key string, v pcommon.Value) {
	c, ev := &d.call, &d.ev
	text := valueText(v)
	if text == "" {
		if key == "gen_ai.tool.call.arguments" && v.Type() == pcommon.ValueTypeMap {
			d.in.Args = []byte(v.AsString())
		}
		return
	}
	switch key {
	case "http.request.method", "http.method":
		c.Method = text
	case "url.path":
		c.Path = text
	case "url.query":
		d.in.RawQuery = strings.TrimPrefix(text, "?")
	case "http.target", "http.path":
		if d.target == "" {
			d.target = text
		}
	case "url.full", "http.url":
		if c.Path == "" {
			d.target = text
		}
	case "http.route", "url.template":
		d.in.SourceRoute = text
	case "url.scheme", "http.scheme":
		c.Scheme = text
	case "server.address", "http.host", "net.host.name":
		if c.Host == "" {
			c.Host = text
		}
	case "http.response.status_code", "http.status_code", "http.status":
		if n, err := strconv.Atoi(text); err == nil && n > 0 && n < 1000 {
			c.Status = uint16(n)
		}
	case "rpc.response.status_code", "mcp.error.code", "a2a.response.error_code", "rpc.grpc.status_code", "grpc.status":
		c.RPCStatus = text
	case "error.type", "exception.type":
		c.ErrorType = text
	case "client.address", "http.client_ip":
		if a := address(text); a.IsValid() {
			c.ClientIP = a
		}
	case "network.peer.address", "net.sock.peer.addr", "net.peer.ip", "src.addr":
		if d.peer == "" {
			d.peer = text
		}
	case "user_agent.original", "http.user_agent":
		c.UserAgent = text
	case "http.request.body.size", "http.request_content_length":
		c.BytesIn, _ = strconv.ParseUint(text, 10, 64)
	case "http.response.body.size", "http.response_content_length":
		c.BytesOut, _ = strconv.ParseUint(text, 10, 64)
	case "gen_ai.agent.id":
		ev.GenAIAgentID = text
	case "gen_ai.agent.name", "agent.name":
		ev.GenAIAgentName = text
	case "gen_ai.agent.version":
		ev.AgentVersion = text
	case "gen_ai.agent.run.id", "agent.run_id":
		ev.RunHeader, ev.RunHeaderName = text, key
	case "gen_ai.tool.name", "mcp.tool.name", "tool.name":
		c.ToolName = text
	case "gen_ai.tool.call.id", "tool.id", "tool_call.id":
		c.ToolCallID = text
	case "gen_ai.tool.call.arguments":
		d.in.Args = []byte(text)
	case "gen_ai.system", "llm.provider", "llm.system":
		c.GenAIProvider = text
	case "llm.model_name", "llm.request.model_name":
		c.ModelRequested = text
	case "llm.response.model_name":
		c.ModelUsed = text
	case "gen_ai.usage.prompt_tokens", "llm.token_count.prompt":
		c.TokensIn = uint32(parseCount(text))
	case "gen_ai.usage.completion_tokens", "llm.token_count.completion":
		c.TokensOut = uint32(parseCount(text))
	case "user.id", "enduser.id", "langfuse.user.id":
		ev.UserID = text
	case "session.id", "langsmith.metadata.thread_id", "langfuse.session.id", "langsmith.trace.session_id", "a2a.context.id":
		if ev.Conversation == "" {
			ev.Conversation = text
		}
	case "agent.threat.detection.rule_id":
		c.DeniedBy = text
	case "gen_ai.operation.name", "openinference.span.kind", "server.port", "network.protocol.name", "network.protocol.version", "network.transport", "net.host.port":
	default:
		if name, ok := strings.CutPrefix(key, "http.request.header."); ok {
			d.common(canonical([]byte(name)), value{'"', strconv.AppendQuote(nil, text)})
			return
		}
		if strings.HasPrefix(key, "http.response.header.") || redact.Name(key) {
			return
		}
		if !d.common(key, value{'"', strconv.AppendQuote(nil, text)}) {
			d.keep(key, text)
		}
	}
}

func parseCount(s string) uint64 {
	n, _ := strconv.ParseUint(s, 10, 32)
	return n
}

// logs reads log records that are shaped like access logs: by attributes, else
// by a body that one of the text or JSON formats matches.
func (w *work) logs(l plog.Logs, b []byte) {
	for i := range l.ResourceLogs().Len() {
		rl := l.ResourceLogs().At(i)
		for j := range rl.ScopeLogs().Len() {
			records := rl.ScopeLogs().At(j).LogRecords()
			for k := range records.Len() {
				if w.full(b) {
					return
				}
				w.log(rl.Resource().Attributes(), records.At(k))
			}
		}
	}
}

func (w *work) log(res pcommon.Map, r plog.LogRecord) {
	w.begin()
	d := &w.d
	c := &d.call
	fields := r.Attributes()
	if fields.Len() == 0 && r.Body().Type() == pcommon.ValueTypeMap {
		fields = r.Body().Map()
	}
	fields.Range(func(key string, v pcommon.Value) bool {
		if t := valueText(v); t != "" {
			d.envoy(canonical([]byte(key)), value{'"', strconv.AppendQuote(nil, t)})
		}
		return true
	})
	if c.Method == "" && d.target == "" && c.Status == 0 && r.Body().Type() == pcommon.ValueTypeStr {
		body := []byte(r.Body().Str())
		if looksLikeJSON(body) {
			if pairs, err := object(body, nil); err == nil && shapeOf(pairs) != "" {
				d.object(pairs, shapeOf(pairs))
			}
		} else {
			d.envoyText(r.Body().Str())
		}
	}
	c.Format, c.ObserverKind = formatOTLPLogs, schema.ObserverGateway
	c.Observer = first(mapText(res, "service.name"), mapText(res, "cluster_name"), mapText(res, "node_name"))
	if t := r.TraceID(); !t.IsEmpty() {
		c.TraceID = t
	}
	if s := r.SpanID(); !s.IsEmpty() {
		c.SpanID = s
	}
	at := r.Timestamp()
	basis := schema.BasisStart
	if at == 0 {
		at, basis = r.ObservedTimestamp(), schema.BasisLog
	}
	if at > 0 && uint64(at) < 1<<63 && (!d.timed || basis == schema.BasisStart && c.TSPrecision < schema.PrecisionNano) {
		c.Start, c.TSPrecision, c.TSBasis, d.timed = int64(at), schema.PrecisionNano, basis, true
	}
	if c.Method == "" && d.target == "" && c.Status == 0 {
		w.bad(NotAnAccessLog, "a log record without method, path or status", logBytes(r))
		return
	}
	w.endOf(func() []byte { return logBytes(r) })
}

func logBytes(r plog.LogRecord) []byte {
	one := plog.NewLogs()
	r.CopyTo(one.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
	out, err := (&plog.ProtoMarshaler{}).MarshalLogs(one)
	if err != nil {
		return nil
	}
	return out
}
