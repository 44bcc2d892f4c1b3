package decode

import (
	"encoding/base64"
	"strings"

	"flyball/schema"
	"flyball/schema/identity"
)

// common takes in a field that means the same in every gateway's JSON: the
// identity headers operators log, ids and the usual request fields. It reports
// whether it knew the key. Keys are canonical (lower case, underscores).
func (d *draft) common(key string, v value) bool {
	c, ev := &d.call, &d.ev
	key = strings.TrimPrefix(strings.TrimPrefix(key, "http_request_header_"), "request_header_")
	switch key {
	case "method", "request_method", "http_method", "http.method", "http.request.method":
		c.Method = v.text()
	case "path", "request_uri", "uri", "x_envoy_origin_path", "x_envoy_original_path", "http_path", "http.path", "http.target":
		if t := v.text(); t != "" && (d.target == "" || strings.Contains(t, "?")) {
			d.target = t
		}
	case "host", "authority", "http_host", "server_name", "http.host":
		if t := v.text(); t != "" {
			c.Host = t
		}
	case "scheme":
		c.Scheme = v.text()
	case "status", "response_code", "http_status", "http.status", "http.response.status_code", "http.status_code", "response":
		if n, ok := v.number(); ok && n >= 0 && n < 1000 {
			c.Status = uint16(n)
		}
	case "user_agent", "http_user_agent", "useragent":
		c.UserAgent = v.text()
	case "request_id", "x_request_id", "http_x_request_id", "x_correlation_id":
		if t := v.text(); t != "" {
			c.RequestID = t
		}
	case "x_forwarded_for", "http_x_forwarded_for":
		if a := address(v.text()); a.IsValid() {
			c.ClientIP = a
		}
	case "client_ip", "remote_ip":
		if a := address(v.text()); a.IsValid() {
			c.ClientIP = a
		}
	case "downstream_remote_address", "downstream_direct_remote_address", "remote_addr":
		d.peer = v.text()
	case "traceparent", "http_traceparent":
		if t, s, ok := identity.ParseTraceparent(v.text()); ok {
			c.TraceID, c.SpanID = t, s
		}
	case "trace_id", "traceid", "x_b3_traceid", "x_amzn_trace_id":
		if t, ok := identity.ParseTraceID(v.text()); ok {
			c.TraceID = t
		}
	case "span_id", "spanid", "x_b3_spanid":
		if s, ok := identity.ParseSpanID(v.text()); ok {
			c.SpanID = s
		}
	case "baggage", "http_baggage":
		identity.ParseBaggage(v.text(), d.baggage)

	case "x_agent_id", "agent_id", "http_x_agent_id", "x_agent_name", "x_litellm_agent_id", "x_claude_code_agent_id", "agent.id":
		if t := v.text(); t != "" && ev.AgentHeader == "" {
			ev.AgentHeader, ev.AgentHeaderName = t, strings.TrimPrefix(key, "http_")
		}
	case "x_claude_code_parent_agent_id", "x_parent_agent_id", "parent_agent_id":
		ev.ParentHeader = v.text()
	case "x_agent_run_id", "agent_run_id", "http_x_agent_run_id", "x_run_id", "http_x_run_id", "run_id", "agent.run.id", "x_litellm_trace_id",
		"x_amzn_bedrock_agentcore_runtime_session_id", "x_claude_code_session_id":
		if t := v.text(); t != "" && (ev.RunHeader == "" || runRank(key) < runRank(ev.RunHeaderName)) {
			ev.RunHeader, ev.RunHeaderName = t, strings.TrimPrefix(key, "http_")
		}
	case "x_task_id", "task_id", "http_x_task_id", "x_agent_task_id", "task.id":
		ev.TaskHeader, ev.TaskHeaderName = v.text(), strings.TrimPrefix(key, "http_")
	case "session_id", "thread_id", "x_session_id", "x_conversation_id", "conversation_id", "mcp_session_id", "mcp.session.id", "session.id", "gen_ai.conversation.id":
		if t := v.text(); t != "" && ev.Conversation == "" {
			ev.Conversation = t
		}
	case "x_consumer", "consumer", "x_consumer_username", "x_consumer_custom_id":
		if t := v.text(); t != "" {
			ev.GatewayAgent, ev.GatewayCredential = t, t
		}
	case "x_principal", "x_principal_id", "principal_id", "x_user_id":
		ev.GatewayUser = v.text()
	case "peer", "downstream_peer_uri_san", "spiffe", "src.identity":
		if t := v.text(); strings.HasPrefix(t, "spiffe://") {
			ev.SPIFFE = t
		}
	case "x_forwarded_client_cert":
		if t := identity.ParseXFCC(v.text()); strings.HasPrefix(t, "spiffe://") {
			ev.SPIFFE = t
		}
	case "ssl_client_s_dn", "downstream_peer_subject":
		ev.CertSubject = v.text()
	case "ssl_client_fingerprint", "downstream_peer_fingerprint_256":
		ev.CertFingerprint = v.text()
	case "remote_user":
		ev.RemoteUser = v.text()
	case "x_api_key", "apikey", "api_key", "http_x_api_key":
		ev.APIKey = v.text()
	case "authorization", "http_authorization":
		if t := v.text(); t != "" {
			_, secret, _ := strings.Cut(t, " ")
			ev.APIKey = strings.TrimSpace(secret)
		}
	case "x_api_key_id", "api_key_id", "api_key.id":
		ev.APIKeyID = v.text()
	case "signature_agent", "http_signature_agent":
		ev.SignatureAgent = v.text()
	case "jwt_payload", "jwt":
		if v.kind == '{' {
			if cl, ok := identity.ParseClaims(v.raw); ok {
				d.claims, d.claimed = *cl, true
			}
		}
	case "jwt_sub", "jwt.sub", "jwt_claim_sub":
		d.claim(&d.claims.Subject, v.text())
	case "jwt_azp", "jwt.azp", "jwt_client_id", "jwt.client_id", "jwt_claim_azp", "jwt_claim_client_id":
		d.claim(&d.claims.ClientID, v.text())
	case "jwt_iss", "jwt.iss":
		d.claim(&d.claims.Issuer, v.text())
	case "jwt_act_sub", "jwt.act.sub":
		if t := v.text(); t != "" {
			d.claims.Act, d.claimed = []string{t}, true
		}
	case "jwt_txn", "jwt.txn":
		d.claim(&d.claims.Txn, v.text())
	case "x_args_digest":
		d.in.LoggedDigest = v.text()

	case "mcp_method", "mcp.method.name", "http_mcp_method":
		c.MCPMethod = v.text()
	case "mcp_name", "http_mcp_name", "mcp.tool.name", "gen_ai.tool.name":
		c.ToolName = mcpName(v.text())
	case "jsonrpc.request.id", "mcp.request.id":
		c.RPCID = v.text()
	case "mcp.provider.name":
		c.MCPServer = v.text()
	case "gen_ai.request.model":
		c.ModelRequested = v.text()
	case "gen_ai.response.model":
		c.ModelUsed = v.text()
	case "gen_ai.provider.name":
		c.GenAIProvider = v.text()
	case "gen_ai.usage.input_tokens":
		c.TokensIn = uint32(min(v.count(), 1<<32-1))
	case "gen_ai.usage.output_tokens":
		c.TokensOut = uint32(min(v.count(), 1<<32-1))
	case "sample_weight", "sample_interval":
		c.SampleWeight = uint32(min(v.count(), 1<<32-1))
	default:
		return false
	}
	return true
}

func (d *draft) claim(into *string, v string) {
	if v != "" {
		*into, d.claimed = v, true
	}
}

// runRank orders the run headers: the more specific first.
var runRanks = []string{"agent.run.id", "x_agent_run_id", "agent_run_id", "x_run_id", "run_id", "x_litellm_trace_id", "x_amzn_bedrock_agentcore_runtime_session_id", "x_claude_code_session_id"}

func runRank(name string) int {
	for i, r := range runRanks {
		if strings.TrimPrefix(name, "http_") == r {
			return i
		}
	}
	return len(runRanks)
}

func (d *draft) baggage(key, v string) {
	switch key {
	case "agent.id", "gen_ai.agent.id", "agent_id":
		if d.ev.AgentHeader == "" {
			d.ev.AgentHeader, d.ev.AgentHeaderName = v, "baggage"
		}
	case "agent.run.id", "run_id":
		if d.ev.RunHeader == "" {
			d.ev.RunHeader, d.ev.RunHeaderName = v, "baggage"
		}
	case "task.id", "task_id":
		if d.ev.TaskHeader == "" {
			d.ev.TaskHeader, d.ev.TaskHeaderName = v, "baggage"
		}
	case "enduser.id", "user.id", "userId":
		if d.ev.UserID == "" {
			d.ev.UserID = v
		}
	}
}

// mcpName decodes the encoded form that a header may have: =?base64?…?=
func mcpName(s string) string {
	if in, ok := strings.CutPrefix(s, "=?base64?"); ok {
		if b, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(in, "?=")); err == nil {
			return string(b)
		}
		return ""
	}
	return s
}

// envoy takes in a field of Envoy's JSON: Istio's names, Envoy Gateway's, or
// an operator's own.
func (d *draft) envoy(key string, v value) {
	c := &d.call
	switch key {
	case "start_time":
		d.time(v.text(), false)
	case "duration":
		if ns, ok := parseAmount(v.text(), 1e6); ok {
			c.DurationNs = ns
		}
	case "response_flags":
		if d.flags = v.text(); d.flags != "" {
			d.keep(key, d.flags)
		}
	case "response_code_details":
		if d.details = v.text(); d.details != "" && d.details != "via_upstream" {
			d.keep(key, d.details)
		}
	case "bytes_received":
		c.BytesIn = v.count()
	case "bytes_sent":
		c.BytesOut = v.count()
	case "upstream_service_time", "x_envoy_upstream_service_time":
		if ns, ok := parseAmount(v.text(), 1e6); ok {
			c.UpstreamNs = ns
		}
	case "upstream_cluster":
		c.API = v.text()
	case "protocol", "upstream_host", "upstream_local_address", "downstream_local_address", "requested_server_name", "upstream_cluster_raw":
		// Addresses of the mesh itself say nothing of the call.
	case "connection_termination_details", "upstream_transport_failure_reason":
		if t := v.text(); t != "" {
			c.ErrorMessage = d.safe(t)
		}
	case "route_name":
		if t := v.text(); t != "default" {
			d.keep(key, t)
		}
	default:
		if !d.common(key, v) {
			d.keep(key, v.text())
		}
	}
}

// nginx takes in a field of an nginx log in JSON: every value may be a string,
// and times are when the call ended.
func (d *draft) nginx(key string, v value) {
	c := &d.call
	switch key {
	case "msec":
		d.time(v.text(), true)
	case "time_iso8601", "time_local", "time", "@timestamp", "timestamp":
		if !d.timed {
			d.time(v.text(), true)
		}
	case "request_time":
		if ns, ok := parseAmount(v.text(), 1e9); ok {
			c.DurationNs = ns
		}
	case "request":
		d.request(v.text())
	case "uri":
		if d.target == "" {
			d.target = v.text()
		}
	case "request_length":
		c.BytesIn = v.count()
	case "body_bytes_sent", "bytes":
		c.BytesOut = v.count()
	case "bytes_sent":
		if c.BytesOut == 0 {
			c.BytesOut = v.count()
		}
	case "upstream_response_time":
		sum, n, _ := parseList(v.text(), 1e9)
		c.UpstreamNs, c.Attempts = sum, uint8(min(n, 255))
	case "upstream_status":
		_, n, last := parseList(v.text(), 1)
		if n > 0 {
			if s, ok := parseAmount(last, 1); ok && s < 1000 {
				c.UpstreamStatus = uint16(s)
			}
		}
	case "agent":
		c.UserAgent = v.text()
	case "upstream_addr", "server_protocol", "referrer", "http_referer":
	case "proxy_upstream_name", "upstream_name":
		c.API = v.text()
	default:
		if !d.common(key, v) {
			d.keep(key, v.text())
		}
	}
}

const (
	formatEnvoyJSON = "envoy_json/1"
	formatEnvoyText = "envoy_text/1"
	formatIstioText = "istio_text/1"
	formatNginxJSON = "nginx_json/1"
	formatOTLPTrace = "otlp_spans/1"
	formatOTLPLogs  = "otlp_logs/1"
)

// shapeOf recognises an object by its keys.
func shapeOf(pairs []pair) string {
	var has struct{ start, code, flags, method, path, msec, request, status, wall, elapsed bool }
	for i := range pairs {
		switch pairs[i].key {
		case "start_time":
			has.start = true
		case "response_code":
			has.code = true
		case "response_flags", "response_code_details":
			has.flags = true
		case "method":
			has.method = true
		case "path", "x_envoy_origin_path", "authority":
			has.path = true
		case "msec", "time_iso8601", "time_local":
			has.msec = true
		case "time":
			has.wall = true
		case "request", "request_uri", "request_method":
			has.request = true
		case "status", "response":
			has.status = true
		case "request_time":
			has.elapsed = true
		}
	}
	switch {
	case has.start && (has.code || has.flags || has.method && has.path), has.code && has.flags:
		return formatEnvoyJSON
	case (has.msec || has.elapsed || has.wall) && has.request && has.status:
		return formatNginxJSON
	}
	return ""
}

func (d *draft) object(pairs []pair, format string) {
	c := &d.call
	c.Format, c.ObserverKind = format, schema.ObserverGateway
	for i := range pairs {
		if format == formatNginxJSON {
			d.nginx(pairs[i].key, pairs[i].val)
		} else {
			d.envoy(pairs[i].key, pairs[i].val)
		}
	}
}
