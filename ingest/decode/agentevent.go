package decode

import (
	"cmp"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"flyball/ingest/fields"
	"flyball/schema"
)

// Coding agents write what they do as log records whose name says what happened: claude_code.tool_result, codex.api_request,
// gemini_cli.tool_call. A tool that ran and a request to a model are calls; so is a tool that a person refused.

// agentPrefixes begin the names of the events of coding agents.
var agentPrefixes = []string{"claude_code.", "codex.", "gemini_cli.", "gemini_cli_core.", "qwen-code.", "qwen_code.", "opencode.", "cline.",
	"cursor.", "copilot.", "copilot_chat.", "goose.", "kimi_cli."}

// agentEventKind returns the kind of event without its prefix, and whether the record is an event of a coding agent.
func agentEventKind(r plog.LogRecord) (kind string, ours bool) {
	named := attrText(r.Attributes(), "event.name")
	body := ""
	if r.Body().Type() == pcommon.ValueTypeStr && len(r.Body().Str()) <= 64 {
		body = r.Body().Str()
	}
	for _, name := range [...]string{r.EventName(), named, body} {
		for _, prefix := range agentPrefixes {
			if kind, ok := strings.CutPrefix(name, prefix); ok {
				return kind, true
			}
		}
	}
	switch named { // the attributes show whose event it is
	case "tool_result", "tool_call", "tool_decision", "api_request", "api_error", "api_response":
		return named, true
	}
	return "", false
}

// eventTable contains the attributes of the events of coding agents.
var eventTable = newTable(
	names(text(func(d *draft) *string { return &d.call.ToolName }), "tool_name", "function_name", "tool", "name"),
	names(text(func(d *draft) *string { return &d.call.ToolCallID }), "tool_use_id", "call_id", "tool_call_id"),
	names(setEventParameters, "tool_parameters", "function_args", "arguments", "tool_input"),
	names(text(func(d *draft) *string { return &d.call.MCPServer }), "mcp_server_name", "mcp_server"),
	names(func(d *draft, v fields.Value) { d.duration(v.Text(), 1e6) }, "duration_ms"),
	names(func(d *draft, v fields.Value) { d.failed = d.failed || v.Text() == "false" || v.Text() == "0" }, "success"),
	names(text(func(d *draft) *string { return &d.call.ErrorType }), "error_type", "error.type"),
	names(text(func(d *draft) *string { return &d.call.ErrorMessage }), "error", "error.message", "error_message"),
	names(text(func(d *draft) *string { return &d.call.ModelRequested }), "model", "model_name"),
	names(func(d *draft, v fields.Value) { d.call.TokensIn = v.Small() }, "input_tokens", "input_token_count"),
	names(func(d *draft, v fields.Value) { d.call.TokensOut = v.Small() }, "output_tokens", "output_token_count"),
	names(func(d *draft, v fields.Value) { setCost(d, v.Text(), nil) }, "cost_usd"),
	names(setStatus, "status_code", "http.response.status_code"),
	names(func(d *draft, v fields.Value) { d.call.Attempts = uint8(min(v.Count(), 255)) }, "attempt"),
	names(conversation(rankConversationSession), "session.id", "session_id", "conversation.id", "conversation_id"),
	names(text(func(d *draft) *string { return &d.ev.UserID }), "user.id", "user.account_uuid"),
	names(firstText(func(d *draft) *string { return &d.ev.AgentVersion }), "app.version"),
	names(ignore, "event.name", "event.timestamp", "prompt", "output", "function_output", "tool_output", "response_text", "request_text",
		"error_body", "endpoint"),
)

// setEventParameters reads the arguments of a tool. Claude Code names an MCP server and its tool there.
func setEventParameters(d *draft, v fields.Value) {
	d.arguments(v)
	if len(d.in.Args) == 0 || d.in.Args[0] != '{' {
		return
	}
	var k fields.Keys
	members, _, err := k.Object(d.in.Args, 0, nil)
	if err != nil {
		return
	}
	d.call.MCPServer = cmp.Or(d.call.MCPServer, fields.Get(members, "mcp_server_name").Text())
	if tool := fields.Get(members, "mcp_tool_name").Text(); tool != "" {
		d.mcpName = tool
	}
}

// agentEvent reads one event.
func (dec otlpReader) agentEvent(kind string, res pcommon.Map, r plog.LogRecord, bytesOf func() []byte) {
	d := dec.beginCall()
	c := &d.call
	setService(d, res)
	decision := readEventAttributes(d, r.Attributes())
	if !setEventKind(d, kind, decision, r) {
		dec.leave(LeftModel)
		return
	}
	if c.OpKind == schema.OpTool && !nameEventTool(d) {
		dec.reject(NotAnAccessLog, "an event of a tool that does not name it", bytesOf())
		return
	}
	c.Format, c.ObserverKind, d.ev.GenAIOperation = formatOTLPLogs, schema.ObserverAgentRuntime, true
	if c.Outcome == schema.OutcomeUnknown && !d.failed && c.Status < 400 && c.ErrorType == "" {
		c.Outcome = schema.OutcomeOK
	}
	setEventTime(d, r)
	if t := r.TraceID(); !t.IsEmpty() {
		c.TraceID = t
	}
	if s := r.SpanID(); !s.IsEmpty() {
		c.SpanID = s
	}
	dec.endCall(bytesOf)
}

// readEventAttributes reads the attributes of an event, and returns the one that says how a person or a rule decided about a tool.
func readEventAttributes(d *draft, attributes pcommon.Map) (decision string) {
	attributes.Range(func(key string, v pcommon.Value) bool {
		d.readingFrom(key)
		t := fields.Plain(attributeText(v))
		switch set := eventTable.get(key); {
		case key == "decision":
			decision = t.Text()
		case set != nil && t.Text() != "":
			set(d, t)
		case set == nil && t.Text() != "":
			d.longTail(valid(key), t)
		}
		return true
	})
	return decision
}

// setEventKind sets what a kind of event says about the call. It returns false if the event is no call, or if another event will be it.
func setEventKind(d *draft, kind, decision string, r plog.LogRecord) bool {
	c := &d.call
	switch kind {
	case "tool_result", "tool_call":
		c.OpKind = schema.OpTool
		if isRefusal(decision) {
			c.Outcome, c.DeniedBy = schema.OutcomeDenied, "user"
		}
		return true
	case "tool_decision":
		if !isRefusal(decision) {
			return false // its result follows
		}
		c.OpKind, c.Outcome, c.DeniedBy = schema.OpTool, schema.OutcomeDenied, cmp.Or(attrText(r.Attributes(), "source"), "user")
		return true
	case "api_request", "api_response", "api_error":
		c.OpKind = schema.OpLLM
		d.failed = d.failed || kind == "api_error"
		return kind != "api_request" || c.DurationNs >= 0 || c.TokensIn > 0 // otherwise its response follows
	}
	return false
}

// nameEventTool sets the names of the tool and its MCP server. It returns false if no attribute names the tool.
func nameEventTool(d *draft) bool {
	c := &d.call
	if d.mcpName != "" && (c.ToolName == "" || c.ToolName == "mcp_tool") {
		c.ToolName = d.mcpName
	}
	d.mcpName = ""
	if rest, ok := strings.CutPrefix(c.ToolName, "mcp__"); ok {
		if server, _, ok := strings.Cut(rest, "__"); ok {
			c.MCPServer = cmp.Or(c.MCPServer, server)
		}
	}
	return c.ToolName != ""
}

// setEventTime sets the time at which the event was written, when what it tells of had ended.
func setEventTime(d *draft, r plog.LogRecord) {
	at := r.Timestamp()
	if at < minEpoch || at > maxTime {
		if d.time(rankTimeLine, attrText(r.Attributes(), "event.timestamp"), true); d.timed {
			return
		}
		at = r.ObservedTimestamp()
	}
	d.time(rankTimeLine, strconv.FormatUint(uint64(at), 10), true)
}

// isRefusal reports whether a decision about a tool kept it from running.
func isRefusal(decision string) bool {
	switch strings.ToLower(decision) {
	case "reject", "rejected", "deny", "denied", "abort", "aborted", "cancel", "cancelled":
		return true
	}
	return false
}
