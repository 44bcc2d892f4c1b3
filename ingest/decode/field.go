package decode

import (
	"strings"

	"flyball/schema/identity"
)

// field takes in what the logging gateway or service says by itself, under the
// names that gateways share: a name here may establish an identity, so a
// request header must never come this way under its own name. It reports
// whether it knew the name.
func (d *draft) field(name string, v value) bool {
	c, ev := &d.call, &d.ev
	switch name {
	case "method", "request_method", "http_method", "http.method", "http.request.method":
		if t := v.text(); t != "" {
			c.Method = t
		}
	case "x_envoy_origin_path", "x_envoy_original_path", "request_uri":
		choose(&d.ranks.target, 5, &d.target, v.text())
	case "path", "http_path", "http.path", "http.target":
		choose(&d.ranks.target, 4, &d.target, v.text())
	case "url.full", "http.url":
		choose(&d.ranks.target, 3, &d.target, v.text())
	case "uri":
		choose(&d.ranks.target, 1, &d.target, v.text())
	case "args", "query_string":
		if t := v.text(); t != "" && d.in.RawQuery == "" {
			d.in.RawQuery = strings.TrimPrefix(t, "?")
		}
	case "authority", "host", "http_host":
		choose(&d.ranks.host, 5, &c.Host, v.text())
	case "server_name", "http.host", "net.host.name":
		choose(&d.ranks.host, 2, &c.Host, v.text())
	case "scheme", "x_forwarded_proto":
		c.Scheme = v.text()
	case "status", "response_code", "http_status", "http.status", "http.response.status_code", "http.status_code":
		if s := v.status(); s != 0 {
			c.Status = s
		}
	case "client_ip", "remote_ip":
		d.client(7, v.text())
	case "remote_addr":
		d.client(6, v.text())
	case "downstream_remote_address", "downstream_direct_remote_address":
		d.peer = first(v.text(), d.peer)
	case "trace_id", "traceid", "trace.id":
		if t, ok := identity.ParseTraceID(v.text()); ok && better(&d.ranks.trace, 9) {
			c.TraceID = t
		}
	case "span_id", "spanid", "span.id", "x_b3_spanid":
		if s, ok := identity.ParseSpanID(v.text()); ok && better(&d.ranks.span, 9) {
			c.SpanID = s
		}
	case "grpc_status", "grpc.status", "rpc.grpc.status_code":
		d.grpc = v.text()
		c.RPCStatus = first(d.grpc, c.RPCStatus)

	case "x_consumer", "consumer", "x_consumer_username", "x_consumer_custom_id":
		if t := v.text(); t != "" {
			ev.GatewayAgent, ev.GatewayCredential = t, t
		}
	case "x_principal", "x_principal_id", "principal_id", "x_user_id", "user_id":
		ev.GatewayUser = first(v.text(), ev.GatewayUser)
	case "peer", "downstream_peer_uri_san", "spiffe", "spiffe_id", "src.identity":
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
	case "x_api_key_id", "api_key_id", "api_key.id":
		ev.APIKeyID = v.text()
	case "x_args_digest", "args_digest":
		d.in.LoggedDigest = v.text()
	case "sample_weight", "sample_interval":
		c.SampleWeight = v.small()
	case "denied_by", "agent.threat.detection.rule_id":
		c.DeniedBy = v.text()
	case "request_headers", "headers":
		d.headers(v)

	case "mcp.method.name":
		c.MCPMethod = first(v.text(), c.MCPMethod)
	case "mcp.tool.name", "mcp_tool_name", "gen_ai.tool.name":
		c.ToolName = first(v.text(), c.ToolName)
	case "jsonrpc.request.id", "mcp.request.id", "mcp_request_id":
		c.RPCID = v.text()
	case "mcp.provider.name", "mcp_backend":
		c.MCPServer = v.text()
	case "gen_ai.request.model", "request_model":
		c.ModelRequested = v.text()
	case "gen_ai.response.model", "response_model":
		c.ModelUsed = v.text()
	case "gen_ai.provider.name", "gen_ai.system":
		c.GenAIProvider = first(v.text(), c.GenAIProvider)
	case "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens":
		c.TokensIn = v.small()
	case "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens":
		c.TokensOut = v.small()
	case "gen_ai.tool.call.arguments", "mcp_arguments", "tool_arguments":
		d.arguments(v)
	default:
		return d.claimField(name, v) || d.header(strings.TrimPrefix(strings.TrimPrefix(name, "http_"), "request_header_"), v)
	}
	return true
}

// headers takes in an object of request headers.
func (d *draft) headers(v value) {
	if v.kind != '{' {
		return
	}
	var k keys
	members, _, _ := k.object(v.raw, 0, nil)
	for _, m := range members {
		if !d.header(m.key, m.val) {
			d.keep("header."+m.name, m.val.text())
		}
	}
}

// arguments of a tool call, for the digest and for the resources they name.
func (d *draft) arguments(v value) {
	switch v.kind {
	case '{':
		d.in.Args, d.in.BodyLogged = v.raw, true
	case '"', 's':
		if t := v.text(); t != "" {
			d.in.Args, d.in.BodyLogged = []byte(t), true
		}
	}
}

// claimField takes in claims that the gateway logged after it had verified the
// token: one by one, or the payload.
func (d *draft) claimField(name string, v value) bool {
	rest, ok := strings.CutPrefix(name, "jwt")
	if !ok || rest != "" && rest[0] != '_' && rest[0] != '.' {
		return false
	}
	cl := &d.claims
	rest = strings.TrimPrefix(strings.TrimPrefix(strings.TrimLeft(rest, "._"), "claim_"), "claims.")
	switch rest {
	case "", "payload", "claims":
		raw := v.raw
		if v.kind == '"' {
			raw = unquote(v.raw)
		}
		if len(raw) > 0 && raw[0] == '{' {
			if got, ok := identity.ParseClaims(raw); ok {
				d.claims, d.claimed = *got, true
			}
		}
	case "sub":
		d.claim(&cl.Subject, v.text())
	case "azp", "client_id", "appid":
		d.claim(&cl.ClientID, v.text())
	case "iss":
		d.claim(&cl.Issuer, v.text())
	case "act_sub", "act.sub":
		if t := v.text(); t != "" {
			cl.Act, d.claimed = []string{t}, true
		}
	case "txn":
		d.claim(&cl.Txn, v.text())
	case "idtyp":
		d.claim(&cl.IDType, v.text())
	case "xms_act_fct":
		d.claim(&cl.EntraActorFacets, v.text())
	case "xms_sub_fct":
		d.claim(&cl.EntraSubjectFacets, v.text())
	case "scope", "iat", "exp", "aud", "jti":
	default:
		return false // its name goes no further: redact drops what is called jwt
	}
	return true
}
