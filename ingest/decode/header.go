package decode

import (
	"encoding/base64"
	"strings"

	"flyball/ingest/fields"
	"flyball/schema/identity"
)

// header takes in what the caller itself said: a request header, by whatever
// way it was logged. Nothing here may establish more than an assertion. It
// reports whether it knew the name (lower case, underscores).
//
// Ranks are the order of trust and of how specific a header is; names are
// written out as the rules of identity print them.
func (d *draft) header(name string, v fields.Value) bool {
	c, ev := &d.call, &d.ev
	agent := func(rank uint8, name string) {
		if t := v.Text(); t != "" && better(&d.ranks.agent, rank) {
			ev.AgentHeader, ev.AgentHeaderName = t, name
		}
	}
	run := func(rank uint8, name string) {
		if t := v.Text(); t != "" && better(&d.ranks.run, rank) {
			ev.RunHeader, ev.RunHeaderName = t, name
		}
	}
	task := func(rank uint8, name string) {
		if t := v.Text(); t != "" && better(&d.ranks.task, rank) {
			ev.TaskHeader, ev.TaskHeaderName = t, name
		}
	}
	switch name {
	case "x_agent_id":
		agent(9, "x-agent-id")
	case "agent_id", "agent.id":
		agent(8, "agent-id")
	case "x_agent_name":
		agent(7, "x-agent-name")
	case "x_litellm_agent_id":
		agent(6, "x-litellm-agent-id")
	case "x_claude_code_agent_id":
		agent(5, "x-claude-code-agent-id")
	case "x_claude_code_parent_agent_id", "x_parent_agent_id", "parent_agent_id":
		if t := v.Text(); t != "" {
			ev.ParentHeader = t
		}
	case "agent.run.id", "agent.run_id", "gen_ai.agent.run.id":
		run(20, "agent.run.id")
	case "x_agent_run_id":
		run(19, "x-agent-run-id")
	case "agent_run_id":
		run(18, "agent-run-id")
	case "x_run_id":
		run(17, "x-run-id")
	case "run_id":
		run(16, "run-id")
	case "x_litellm_trace_id":
		run(15, "x-litellm-trace-id")
	case "x_amzn_bedrock_agentcore_runtime_session_id":
		run(14, "x-amzn-bedrock-agentcore-runtime-session-id")
	case "x_claude_code_session_id":
		run(13, "x-claude-code-session-id")
	case "x_task_id":
		task(9, "x-task-id")
	case "task_id", "task.id", "agent.task.id", "gen_ai.task.id":
		task(8, "task-id")
	case "x_agent_task_id":
		task(7, "x-agent-task-id")
	case "gen_ai.conversation.id", "conversation_id", "x_conversation_id":
		choose(&d.ranks.conversation, 9, &ev.Conversation, v.Text())
	case "session.id", "session_id", "x_session_id":
		choose(&d.ranks.conversation, 7, &ev.Conversation, v.Text())
	case "thread_id":
		choose(&d.ranks.conversation, 6, &ev.Conversation, v.Text())
	case "mcp_session_id", "mcp.session.id":
		choose(&d.ranks.conversation, 3, &ev.Conversation, v.Text())

	case "request_id", "x_request_id":
		choose(&d.ranks.request, 9, &c.RequestID, v.Text())
	case "x_correlation_id":
		choose(&d.ranks.request, 8, &c.RequestID, v.Text())
	case "x_amzn_requestid", "cf_ray", "x_kong_request_id":
		choose(&d.ranks.request, 7, &c.RequestID, v.Text())
	case "traceparent":
		// The span is the caller's: what was logged is its child.
		if t, s, ok := identity.ParseTraceparent(v.Text()); ok && better(&d.ranks.trace, 8) {
			c.TraceID, c.ParentSpanID = t, s
		}
	case "x_b3_traceid", "x_amzn_trace_id", "uber_trace_id", "x_cloud_trace_context":
		id := v.Text()
		if i := strings.IndexAny(id, ":/"); i >= 0 {
			id = id[:i]
		}
		if t, ok := identity.ParseTraceID(id); ok && better(&d.ranks.trace, 7) {
			c.TraceID = t
		}
	case "baggage":
		identity.ParseBaggage(v.Text(), d.baggage)
	case "host":
		choose(&d.ranks.host, 4, &c.Host, v.Text())
	case "user_agent":
		if t := v.Text(); t != "" {
			c.UserAgent = t
		}
	case "x_forwarded_for":
		if list := v.Text(); list != "" {
			d.forwarded = list
		}
	case "signature_agent":
		ev.SignatureAgent = v.Text()
	case "mcp_method": // see claimedWords
		d.mcpMethod = first(v.Text(), d.mcpMethod)
	case "mcp_name":
		d.mcpName = first(headerText(v.Text()), d.mcpName)
	case "x_http_method_override", "x_method_override", "x_http_method":
		if t := v.Text(); t != "" {
			d.in.MethodOverride = strings.TrimPrefix(d.in.MethodOverride+","+t, ",")
		}
	case "authorization", "proxy_authorization":
		d.secret(identity.CredentialOf(v.Text()))
	case "x_api_key", "apikey", "api_key", "x_apikey":
		d.secret(v.Text())
	case "cookie":
		d.cookie = d.cookie || v.Text() != ""
	case "sec_fetch_site", "sec_fetch_mode", "sec_fetch_dest", "sec_fetch_user":
		d.secFetch = d.secFetch || v.Text() != ""
	case "referer", "referrer", "accept", "accept_encoding", "accept_language", "connection", "content_type", "content_length", "signature", "signature_input", "tracestate", "x_forwarded_client_cert", "x_b3_sampled":
		// Says nothing of the call, or too much.
	default:
		return false
	}
	return true
}

// baggage takes in a member of a W3C baggage header: what a header says better stands.
func (d *draft) baggage(key, v string) {
	ev := &d.ev
	set := func(have *uint8, into, name *string) {
		if v != "" && better(have, 1) {
			*into, *name = v, "baggage"
		}
	}
	switch key {
	case "agent.id", "gen_ai.agent.id", "agent_id":
		set(&d.ranks.agent, &ev.AgentHeader, &ev.AgentHeaderName)
	case "agent.run.id", "run_id":
		set(&d.ranks.run, &ev.RunHeader, &ev.RunHeaderName)
	case "task.id", "task_id":
		set(&d.ranks.task, &ev.TaskHeader, &ev.TaskHeaderName)
	case "enduser.id", "user.id", "userId":
		if ev.UserID == "" {
			ev.UserID = v
		}
	}
}

// headerText decodes the form of a header that cannot hold the text: =?base64?…?=
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
