package decode

import (
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"flyball/ingest/fields"
	"flyball/schema"
	"flyball/schema/identity"
)

func attrText(m pcommon.Map, key string) string {
	if v, ok := m.Get(key); ok {
		return attributeText(v)
	}
	return ""
}

// attributeText returns an attribute as text. For a list it returns the first element.
func attributeText(v pcommon.Value) string {
	switch v.Type() {
	case pcommon.ValueTypeSlice:
		if v.Slice().Len() == 0 || v.Slice().At(0).Type() == pcommon.ValueTypeSlice {
			return ""
		}
		return attributeText(v.Slice().At(0))
	case pcommon.ValueTypeMap, pcommon.ValueTypeBytes, pcommon.ValueTypeEmpty:
		return ""
	case pcommon.ValueTypeStr:
		return fields.Present(valid(v.Str()))
	}
	return v.AsString()
}

// valid returns s as valid UTF-8; protobuf does not guarantee it.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// attribute reads an attribute of a span or log record, by its old or new name in the conventions.
func (d *draft) attribute(key string, v pcommon.Value) {
	if key == "gen_ai.tool.call.arguments" && v.Type() == pcommon.ValueTypeMap {
		d.in.Args, d.in.BodyLogged = []byte(v.AsString()), true
		return
	}
	t := attributeText(v)
	if t == "" {
		return
	}
	if set := attributeTable.get(key); set != nil {
		set(d, fields.Plain(t))
		return
	}
	d.longTail(valid(key), fields.Plain(t))
}

// attributeTable contains the attributes of OpenTelemetry, OpenInference and agent frameworks that no gateway logs under the same name.
// Their values are not empty.
var attributeTable = newTable(
	names(text(func(d *draft) *string { return &d.call.Path }), "url.path"),
	names(func(d *draft, v fields.Value) { d.in.RawQuery = strings.TrimPrefix(v.Text(), "?") }, "url.query"),
	names(text(func(d *draft) *string { return &d.in.SourceRoute }), "http.route"),
	names(firstText(func(d *draft) *string { return &d.in.SourceRoute }), "url.template"),
	names(text(func(d *draft) *string { return &d.call.Scheme }), "url.scheme", "http.scheme"),
	names(host(rankHostServerAddress), "server.address"),
	names(text(func(d *draft) *string { return &d.call.RPCStatus }),
		"rpc.response.status_code", "mcp.error.code", "a2a.response.error_code", "error_code"),
	names(setRPCSystem, "rpc.system", "rpc.system.name"),
	names(func(d *draft, v fields.Value) { d.call.OpKind, d.call.Operation = schema.OpA2A, v.Text() }, "a2a.method"),
	names(func(d *draft, v fields.Value) { d.failed = d.failed || v.Text() == "error" }, "a2a.response.outcome"),
	names(text(func(d *draft) *string { return &d.call.ErrorType }), "error.type"),
	names(firstText(func(d *draft) *string { return &d.call.ErrorType }), "exception.type", "error"),
	names(firstText(func(d *draft) *string { return &d.call.ErrorMessage }), "exception.message", "error.message"),
	names(func(d *draft, v fields.Value) { d.client(rankClientAttribute, v.Text()) }, "client.address", "http.client_ip"),
	names(func(d *draft, v fields.Value) { d.client(rankClientPeer, v.Text()) },
		"network.peer.address", "net.sock.peer.addr", "net.peer.ip", "src.addr"),
	names(text(func(d *draft) *string { return &d.call.UserAgent }), "user_agent.original", "http.user_agent"),
	names(count(func(d *draft) *uint64 { return &d.call.BytesIn }, false), "http.request.body.size", "http.request_content_length"),
	names(count(func(d *draft) *uint64 { return &d.call.BytesIn }, true), "http.request.size"),
	names(count(func(d *draft) *uint64 { return &d.call.BytesOut }, false), "http.response.body.size", "http.response_content_length"),
	names(count(func(d *draft) *uint64 { return &d.call.BytesOut }, true), "http.response.size"),

	names(text(func(d *draft) *string { return &d.ev.GenAIAgentID }), "gen_ai.agent.id"),
	names(text(func(d *draft) *string { return &d.ev.GenAIAgentName }), "gen_ai.agent.name"),
	names(firstText(func(d *draft) *string { return &d.ev.GenAIAgentName }), "agent.name", "gen_ai.workflow.name", "graph.node.name"),
	names(text(func(d *draft) *string { return &d.ev.AgentVersion }), "gen_ai.agent.version"),
	names(firstText(func(d *draft) *string { return &d.call.ToolName }), "tool.name"),
	names(text(func(d *draft) *string { return &d.call.ToolCallID }), "gen_ai.tool.call.id", "tool.id", "tool_call.id"),
	names(text(func(d *draft) *string { return &d.call.MCPServer }), "mcp.target"),
	names(firstText(func(d *draft) *string { return &d.call.GenAIProvider }), "llm.provider", "llm.system"),
	names(firstText(func(d *draft) *string { return &d.call.ModelRequested }), "llm.model_name", "llm.request.model_name"),
	names(text(func(d *draft) *string { return &d.call.ModelUsed }), "llm.response.model_name"),
	names(func(d *draft, v fields.Value) { d.call.TokensIn = v.Small() }, "llm.token_count.prompt"),
	names(func(d *draft, v fields.Value) { d.call.TokensOut = v.Small() }, "llm.token_count.completion"),
	names(text(func(d *draft) *string { return &d.ev.UserID }), "user.id"),
	names(firstText(func(d *draft) *string { return &d.ev.UserID }), "user.name", "enduser.id", "langfuse.user.id"),
	names(conversation(rankConversationFramework),
		"langsmith.metadata.thread_id", "langfuse.session.id", "langsmith.trace.session_id", "a2a.context.id"),
	names(claim(func(c *identity.Claims) *string { return &c.ClientID }), "auth.client_id", "oauth.client_id"),

	names(text(func(d *draft) *string { return &d.call.ToolName }), "ai.toolCall.name"),
	names(firstText(func(d *draft) *string { return &d.call.ToolName }), "spring.ai.tool.definition.name", "haystack.tool.name"),
	names(text(func(d *draft) *string { return &d.call.ToolCallID }), "ai.toolCall.id", "tool_use_id", "call_id", "mcp.tool.call.id"),
	names((*draft).arguments, "ai.toolCall.args", "ai.toolCall.input", "spring.ai.tool.call.arguments", "traceloop.entity.input",
		"gcp.vertex.agent.tool_call_args"),
	names(firstText(func(d *draft) *string { return &d.call.ModelRequested }), "ai.model.id"),
	names(firstText(func(d *draft) *string { return &d.call.ModelUsed }), "ai.response.model"),
	names(firstText(func(d *draft) *string { return &d.call.GenAIProvider }), "ai.model.provider"),
	names(func(d *draft, v fields.Value) { d.call.TokensIn = v.Small() }, "ai.usage.promptTokens", "ai.usage.inputTokens",
		"llm.usage.prompt_tokens"),
	names(func(d *draft, v fields.Value) { d.call.TokensOut = v.Small() }, "ai.usage.completionTokens", "ai.usage.outputTokens",
		"llm.usage.completion_tokens"),
	names(func(d *draft, v fields.Value) { d.failed = d.failed || v.Text() == "true" }, "mcp.result.is_error", "mcp.tool.result.is_error",
		"mcp.tool.is_error", "tool.is_error", "gen_ai.tool.is_error"),
	names(func(d *draft, v fields.Value) { d.failed = d.failed || v.Text() == "error" }, "tool.status", "gen_ai.tool.status"), // of Strands
	names(toolResult, "gen_ai.tool.call.result", "gcp.vertex.agent.tool_response", "mcp.tool.result"),
	names(conversation(rankConversationFramework), "traceloop.association.properties.session_id", "ai.telemetry.metadata.sessionId",
		"ai.telemetry.metadata.chatId", "ai.telemetry.metadata.threadId", "langfuse.trace.session_id"),
	names(firstText(func(d *draft) *string { return &d.ev.UserID }), "traceloop.association.properties.user_id",
		"ai.telemetry.metadata.userId", "mcp.user.id"),

	// These are read elsewhere or not used.
	names(ignore, "traceloop.span.kind", "llm.request.type", "mlflow.spanType", "langfuse.observation.type", "genkit:metadata:subtype",
		"spring.ai.kind", "sentry.op", "ai.operationId", "operation.name", "span.type", "rpc.method", "rpc.service",
		"ai.toolCall.result", "ai.toolCall.output", "traceloop.entity.output", "traceloop.entity.name", "agent_name", "genkit:name",
		"ai.response.text", "ai.response.object", "ai.response.toolCalls", "ai.response.reasoning", "logfire.msg", "logfire.json_schema",
		"all_messages", "pydantic_ai.all_messages", "final_result", "genkit:input", "genkit:output", "langfuse.observation.input",
		"langfuse.observation.output", "mlflow.spanInputs", "mlflow.spanOutputs", "tool_response", "gcp.vertex.agent.llm_request",
		"gcp.vertex.agent.llm_response", "gcp.vertex.agent.data"),
	names(ignore, "gen_ai.operation.name", "openinference.span.kind", "langsmith.span.kind", "server.port", "network.protocol.name",
		"network.protocol.version", "network.transport", "net.host.port", "http.flavor", "http.version", "network.peer.port",
		"client.port", "net.peer.port", "net.sock.peer.port", "url.original"),
)

// toolResult reads whether the result of a tool is an error, in the form of MCP, and keeps nothing of it.
func toolResult(d *draft, v fields.Value) {
	b := v.Raw
	if v.Kind == '"' {
		b = fields.Unquote(v.Raw)
	}
	if len(b) == 0 || b[0] != '{' {
		return
	}
	var k fields.Keys
	members, _, _ := k.Object(b, 0, nil)
	d.failed = d.failed || fields.Get(members, "iserror").Text() == "true"
}

// count returns a setter of a number of bytes. With unlessSet it does not change a number that is not 0.
func count(field func(*draft) *uint64, unlessSet bool) setter {
	return func(d *draft, v fields.Value) {
		if into := field(d); !unlessSet || *into == 0 {
			*into = v.Count()
		}
	}
}

func setRPCSystem(d *draft, v fields.Value) {
	if v.Text() == "grpc" {
		d.call.OpKind = schema.OpGRPC
	}
}

// longTail reads attributes that the tables of gateways know and keeps the others. A request header is always a claim of the caller.
func (d *draft) longTail(key string, v fields.Value) {
	if name, ok := strings.CutPrefix(key, "http.request.header."); ok {
		if !d.header(fields.Canonical([]byte(name)), v) {
			d.keep("header."+name, v.Text())
		}
		return
	}
	if strings.HasPrefix(key, "http.response.header.") {
		return
	}
	if !d.field(fields.Canonical([]byte(key)), v) {
		d.keep(key, v.Text())
	}
}
