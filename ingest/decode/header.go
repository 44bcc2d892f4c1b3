package decode

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"

	"flyball/ingest/fields"
	"flyball/schema/identity"
)

// header reads a request header, that is, a claim of the caller, independent of how it was logged. It must set only values that count as
// claims. It reports whether the name (lower case, underscores) is known.
func (d *draft) header(name string, v fields.Value) bool {
	set := headerTable.get(name)
	if set != nil {
		set(d, v)
	}
	return set != nil
}

// headerTable contains the request headers that are read, by name (lower case, underscores).
var headerTable = newTable(
	names(agentHeader(rankAgentXID, "x-agent-id"), "x_agent_id"),
	names(agentHeader(rankAgentID, "agent-id"), "agent_id", "agent.id"),
	names(agentHeader(rankAgentName, "x-agent-name"), "x_agent_name"),
	names(agentHeader(rankAgentLiteLLM, "x-litellm-agent-id"), "x_litellm_agent_id"),
	names(agentHeader(rankAgentClaudeCode, "x-claude-code-agent-id"), "x_claude_code_agent_id"),
	names(text(func(d *draft) *string { return &d.ev.ParentHeader }), "x_claude_code_parent_agent_id", "x_parent_agent_id", "parent_agent_id"),

	names(runHeader(rankRunAttribute, "agent.run.id"), "agent.run.id", "agent.run_id", "gen_ai.agent.run.id"),
	names(runHeader(rankRunXAgent, "x-agent-run-id"), "x_agent_run_id"),
	names(runHeader(rankRunAgent, "agent-run-id"), "agent_run_id"),
	names(runHeader(rankRunXPlain, "x-run-id"), "x_run_id"),
	names(runHeader(rankRunPlain, "run-id"), "run_id"),
	names(runHeader(rankRunLiteLLM, "x-litellm-trace-id"), "x_litellm_trace_id"),
	names(runHeader(rankRunAgentCore, "x-amzn-bedrock-agentcore-runtime-session-id"), "x_amzn_bedrock_agentcore_runtime_session_id"),
	names(runHeader(rankRunClaudeCode, "x-claude-code-session-id"), "x_claude_code_session_id"),

	names(taskHeader(rankTaskXID, "x-task-id"), "x_task_id"),
	names(taskHeader(rankTaskID, "task-id"), "task_id", "task.id", "agent.task.id", "gen_ai.task.id"),
	names(taskHeader(rankTaskXAgent, "x-agent-task-id"), "x_agent_task_id"),

	names(conversation(rankConversationNamed), "gen_ai.conversation.id", "conversation_id", "x_conversation_id"),
	names(conversation(rankConversationSession), "session.id", "session_id", "x_session_id"),
	names(conversation(rankConversationThread), "thread_id"),
	names(conversation(rankConversationMCP), "mcp_session_id", "mcp.session.id"),

	names(requestID(rankRequestHeader), "request_id", "x_request_id"),
	names(requestID(rankRequestCorrelation), "x_correlation_id"),
	names(requestID(rankRequestVendor), "x_amzn_requestid", "cf_ray", "x_kong_request_id"),
	names(setTraceparent, "traceparent"),
	names(setVendorTrace, "x_b3_traceid", "x_amzn_trace_id", "uber_trace_id", "x_cloud_trace_context",
		"b3", "x_b3", "b3_trace_id", "x_b3_trace_id", "uber.trace.id", "x_trace_id", "x_uber_trace_id"),
	names(setDatadogTrace, "x_datadog_trace_id"),
	names(setCallerSpan, "x_b3_parentspanid"),
	names(func(d *draft, v fields.Value) { identity.ParseBaggage(v.Text(), d.baggage) }, "baggage"),

	names(host(rankHostHeader), "host"),
	names(text(func(d *draft) *string { return &d.call.UserAgent }), "user_agent"),
	names(text(func(d *draft) *string { return &d.forwarded }), "x_forwarded_for"),
	names(textOrNothing(func(d *draft) *string { return &d.ev.SignatureAgent }), "signature_agent"),
	names(text(func(d *draft) *string { return &d.mcpMethod }), "mcp_method"), // see useClaimedTool
	names(setMCPName, "mcp_name"),
	names(addMethodOverride, "x_http_method_override", "x_method_override", "x_http_method"),

	names(func(d *draft, v fields.Value) { d.secret(identity.ParseCredential(v.Text())) }, "authorization", "proxy_authorization"),
	names(func(d *draft, v fields.Value) { d.secret(v.Text()) }, "x_api_key", "apikey", "api_key", "x_apikey"),
	names(func(d *draft, v fields.Value) { d.cookie = d.cookie || v.Text() != "" }, "cookie"),
	names(func(d *draft, v fields.Value) { d.secFetch = d.secFetch || v.Text() != "" },
		"sec_fetch_site", "sec_fetch_mode", "sec_fetch_dest", "sec_fetch_user"),

	// These headers do not describe the call, or their values must not be kept.
	names(ignore, "referer", "referrer", "accept", "accept_encoding", "accept_language", "connection", "content_type", "content_length",
		"signature", "signature_input", "tracestate", "x_forwarded_client_cert", "x_b3_sampled"),
)

// agentHeader returns the setter of a header in which a caller names its agent. as is the name of the header in the results of the
// identity rules.
func agentHeader(rank uint8, as string) setter {
	return func(d *draft, v fields.Value) {
		if t := v.Text(); t != "" && better(&d.ranks.agent, rank) {
			d.ev.AgentHeader, d.ev.AgentHeaderName = t, as
		}
	}
}

// runHeader returns the setter of a header in which a caller names its run.
func runHeader(rank uint8, as string) setter {
	return func(d *draft, v fields.Value) {
		if t := v.Text(); t != "" && better(&d.ranks.run, rank) {
			d.ev.RunHeader, d.ev.RunHeaderName = t, as
		}
	}
}

// taskHeader returns the setter of a header in which a caller names its task.
func taskHeader(rank uint8, as string) setter {
	return func(d *draft, v fields.Value) {
		if t := v.Text(); t != "" && better(&d.ranks.task, rank) {
			d.ev.TaskHeader, d.ev.TaskHeaderName = t, as
		}
	}
}

func conversation(rank uint8) setter {
	return ranked(func(d *draft) *uint8 { return &d.ranks.conversation }, rank, func(d *draft) *string { return &d.ev.Conversation })
}

func requestID(rank uint8) setter {
	return ranked(func(d *draft) *uint8 { return &d.ranks.request }, rank, func(d *draft) *string { return &d.call.RequestID })
}

func host(rank uint8) setter {
	return ranked(func(d *draft) *uint8 { return &d.ranks.host }, rank, func(d *draft) *string { return &d.call.Host })
}

// setTraceparent reads a W3C traceparent. Its span belongs to the caller and is the parent of the logged call.
func setTraceparent(d *draft, v fields.Value) {
	if t, s, ok := identity.ParseTraceparent(v.Text()); ok && better(&d.ranks.trace, rankTraceParent) {
		d.call.TraceID, d.call.ParentSpanID = t, s
	}
}

// setVendorTrace reads the trace id of a vendor's header. The span in it belongs to the caller.
func setVendorTrace(d *draft, v fields.Value) {
	if t, s, ok := identity.ParseTrace(v.Text()); ok && better(&d.ranks.trace, rankTraceVendor) {
		d.call.TraceID = t
		if s != [8]byte{} {
			d.call.ParentSpanID = s
		}
	}
}

// setDatadogTrace reads a trace id of 64 bits that is written as a decimal number.
func setDatadogTrace(d *draft, v fields.Value) {
	n, err := strconv.ParseUint(v.Text(), 10, 64)
	if err == nil && n > 0 && better(&d.ranks.trace, rankTraceVendor) {
		d.call.TraceID = [16]byte{}
		binary.BigEndian.PutUint64(d.call.TraceID[8:], n)
	}
}

// setCallerSpan reads the id of the span that called.
func setCallerSpan(d *draft, v fields.Value) {
	if s, ok := identity.ParseSpanID(v.Text()); ok {
		d.call.ParentSpanID = s
	}
}

func setMCPName(d *draft, v fields.Value) { d.mcpName = cmp.Or(headerText(v.Text()), d.mcpName) }

// addMethodOverride keeps all overrides that were sent. The most dangerous one is used.
func addMethodOverride(d *draft, v fields.Value) {
	if t := v.Text(); t != "" {
		d.in.MethodOverride = strings.TrimPrefix(d.in.MethodOverride+","+t, ",")
	}
}

// baggage reads a member of a W3C baggage header. A specific header for the same field has a higher rank.
func (d *draft) baggage(key, v string) {
	ev := &d.ev
	set := func(have *uint8, rank uint8, into, name *string) {
		if v != "" && better(have, rank) {
			*into, *name = v, "baggage"
		}
	}
	switch key {
	case "agent.id", "gen_ai.agent.id", "agent_id":
		set(&d.ranks.agent, rankAgentBaggage, &ev.AgentHeader, &ev.AgentHeaderName)
	case "agent.run.id", "run_id":
		set(&d.ranks.run, rankRunBaggage, &ev.RunHeader, &ev.RunHeaderName)
	case "task.id", "task_id":
		set(&d.ranks.task, rankTaskBaggage, &ev.TaskHeader, &ev.TaskHeaderName)
	case "enduser.id", "user.id", "userId":
		if ev.UserID == "" {
			ev.UserID = v
		}
	}
}

// headerText decodes text in the form =?base64?…?=, which is used for text that a header cannot contain.
func headerText(s string) string {
	in, ok := strings.CutPrefix(s, "=?base64?")
	if !ok {
		return s
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(in, "?="))
	if err != nil {
		return ""
	}
	return valid(string(b))
}
