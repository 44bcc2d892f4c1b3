package decode

import (
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"flyball/ingest/fields"
	"flyball/schema"
)

func attrText(m pcommon.Map, key string) string {
	if v, ok := m.Get(key); ok {
		return attributeText(v)
	}
	return ""
}

// attributeText is an attribute as text; of a list the first element.
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

// valid is s as valid UTF-8: protobuf does not promise it.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// attribute takes in an attribute of a span or log record, by its old name or
// its new one.
func (d *draft) attribute(key string, v pcommon.Value) {
	c, ev := &d.call, &d.ev
	if key == "gen_ai.tool.call.arguments" && v.Type() == pcommon.ValueTypeMap {
		d.in.Args, d.in.BodyLogged = []byte(v.AsString()), true
		return
	}
	text := attributeText(v)
	if text == "" {
		return
	}
	switch key {
	case "url.path":
		c.Path = text
	case "url.query":
		d.in.RawQuery = strings.TrimPrefix(text, "?")
	case "http.route", "url.template":
		if d.in.SourceRoute == "" || key == "http.route" {
			d.in.SourceRoute = text
		}
	case "url.scheme", "http.scheme":
		c.Scheme = text
	case "server.address":
		choose(&d.ranks.host, 3, &c.Host, text)
	case "rpc.response.status_code", "mcp.error.code", "a2a.response.error_code", "error_code":
		c.RPCStatus = text
	case "rpc.system", "rpc.system.name":
		if text == "grpc" {
			c.OpKind = schema.OpGRPC
		}
	case "a2a.method":
		c.OpKind, c.Operation = schema.OpA2A, text
	case "a2a.response.outcome":
		d.failed = d.failed || text == "error"
	case "error.type":
		c.ErrorType = text
	case "exception.type", "error":
		c.ErrorType = first(c.ErrorType, text)
	case "exception.message", "error.message":
		c.ErrorMessage = first(c.ErrorMessage, text)
	case "client.address", "http.client_ip":
		d.client(8, text)
	case "network.peer.address", "net.sock.peer.addr", "net.peer.ip", "src.addr":
		d.client(4, text)
	case "user_agent.original", "http.user_agent":
		c.UserAgent = text
	case "http.request.body.size", "http.request_content_length":
		c.BytesIn = fields.Plain(text).Count()
	case "http.request.size":
		if c.BytesIn == 0 {
			c.BytesIn = fields.Plain(text).Count()
		}
	case "http.response.body.size", "http.response_content_length":
		c.BytesOut = fields.Plain(text).Count()
	case "http.response.size":
		if c.BytesOut == 0 {
			c.BytesOut = fields.Plain(text).Count()
		}
	case "gen_ai.agent.id":
		ev.GenAIAgentID = text
	case "gen_ai.agent.name", "agent.name", "gen_ai.workflow.name", "graph.node.name":
		if ev.GenAIAgentName == "" || key == "gen_ai.agent.name" {
			ev.GenAIAgentName = text
		}
	case "gen_ai.agent.version":
		ev.AgentVersion = text
	case "tool.name":
		c.ToolName = first(c.ToolName, text)
	case "gen_ai.tool.call.id", "tool.id", "tool_call.id":
		c.ToolCallID = text
	case "mcp.target":
		c.MCPServer = text
	case "llm.provider", "llm.system":
		c.GenAIProvider = first(c.GenAIProvider, text)
	case "llm.model_name", "llm.request.model_name":
		c.ModelRequested = first(c.ModelRequested, text)
	case "llm.response.model_name":
		c.ModelUsed = first(c.ModelUsed, text)
	case "llm.token_count.prompt":
		c.TokensIn = fields.Plain(text).Small()
	case "llm.token_count.completion":
		c.TokensOut = fields.Plain(text).Small()
	case "user.name":
		ev.UserID = first(ev.UserID, text)
	case "user.id", "enduser.id", "langfuse.user.id":
		if ev.UserID == "" || key == "user.id" {
			ev.UserID = text
		}
	case "langsmith.metadata.thread_id", "langfuse.session.id", "langsmith.trace.session_id", "a2a.context.id":
		choose(&d.ranks.conversation, 5, &ev.Conversation, text)
	case "auth.client_id", "oauth.client_id":
		d.claim(&d.claims.ClientID, text)
	case "gen_ai.operation.name", "openinference.span.kind", "langsmith.span.kind", "server.port", "network.protocol.name", "network.protocol.version", "network.transport", "net.host.port",
		"http.flavor", "http.version", "network.peer.port", "client.port", "net.peer.port", "net.sock.peer.port", "url.original":
		// Read elsewhere, or says nothing of the call.
	default:
		d.longTail(valid(key), fields.Plain(text))
	}
}

// longTail takes in what the gateways' tables may know, and keeps the rest.
// A request header is what the caller said, whatever its name.
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
