package decode

import (
	"strings"

	"flyball/ingest/fields"
	"flyball/schema/identity"
)

// field takes in what the logging gateway or service says by itself, under the
// names that gateways share: a name here may establish an identity, so a
// request header must never come this way under its own name. It reports
// whether it knew the name.
func (d *draft) field(name string, v fields.Value) bool {
	c, ev := &d.call, &d.ev
	switch name {
	case "method", "request_method", "http_method", "http.method", "http.request.method":
		if t := v.Text(); t != "" {
			c.Method = t
		}
	case "x_envoy_origin_path", "x_envoy_original_path", "request_uri":
		choose(&d.ranks.target, 5, &d.target, v.Text())
	case "path", "http_path", "http.path", "http.target":
		choose(&d.ranks.target, 4, &d.target, v.Text())
	case "url.full", "http.url":
		choose(&d.ranks.target, 3, &d.target, v.Text())
	case "uri":
		choose(&d.ranks.target, 1, &d.target, v.Text())
	case "args", "query_string":
		if t := v.Text(); t != "" && d.in.RawQuery == "" {
			d.in.RawQuery = strings.TrimPrefix(t, "?")
		}
	case "http.route": // http_route is what nginx calls a request header
		d.in.SourceRoute = v.Text()
	case "authority", "host", "http_host":
		choose(&d.ranks.host, 5, &c.Host, v.Text())
	case "server_name", "http.host", "net.host.name":
		choose(&d.ranks.host, 2, &c.Host, v.Text())
	case "scheme", "x_forwarded_proto":
		c.Scheme = v.Text()
	case "status", "response_code", "http_status", "http.status", "http.response.status_code", "http.status_code":
		if s := v.Status(); s != 0 {
			c.Status = s
		}
	case "client_ip", "remote_ip":
		d.client(7, v.Text())
	case "remote_addr":
		d.client(6, v.Text())
	case "downstream_remote_address", "downstream_direct_remote_address":
		d.peer = first(v.Text(), d.peer)
	case "trace_id", "traceid", "trace.id":
		if t, ok := identity.ParseTraceID(v.Text()); ok && better(&d.ranks.trace, 9) {
			c.TraceID = t
		}
	case "span_id", "spanid", "span.id", "x_b3_spanid":
		if s, ok := identity.ParseSpanID(v.Text()); ok && better(&d.ranks.span, 9) {
			c.SpanID = s
		}
	case "grpc_status", "grpc.status", "rpc.grpc.status_code":
		d.grpc = v.Text()
		c.RPCStatus = first(d.grpc, c.RPCStatus)

	case "x_consumer", "consumer", "x_consumer_username", "x_consumer_custom_id":
		if t := v.Text(); t != "" {
			ev.GatewayAgent, ev.GatewayCredential = t, t
		}
	case "x_principal", "x_principal_id", "principal_id", "x_user_id", "user_id":
		ev.GatewayUser = first(v.Text(), ev.GatewayUser)
	case "peer", "downstream_peer_uri_san", "spiffe", "spiffe_id", "src.identity":
		if t := v.Text(); strings.HasPrefix(t, "spiffe://") {
			ev.SPIFFE = t
		}
	case "x_forwarded_client_cert":
		if t := identity.ParseXFCC(v.Text()); strings.HasPrefix(t, "spiffe://") {
			ev.SPIFFE = t
		}
	case "ssl_client_s_dn", "downstream_peer_subject":
		ev.CertSubject = v.Text()
	case "ssl_client_fingerprint", "downstream_peer_fingerprint_256":
		ev.CertFingerprint = v.Text()
	case "remote_user":
		ev.RemoteUser = v.Text()
	case "flyball_run": // what the gateway was answered; x_flyball_run would be the client's own header
		ev.GateRun = first(v.Text(), ev.GateRun)
	case "flyball_receipt":
		ev.Receipt = first(v.Text(), ev.Receipt)
	case "x_api_key_id", "api_key_id", "api_key.id":
		ev.APIKeyID = v.Text()
	case "x_args_digest", "args_digest":
		d.in.LoggedDigest = v.Text()
	case "sample_weight", "sample_interval":
		c.SampleWeight = v.Small()
	case "denied_by", "agent.threat.detection.rule_id":
		c.DeniedBy = v.Text()
	case "request_headers", "headers":
		d.headers(v)

	case "mcp.method.name":
		c.MCPMethod = first(v.Text(), c.MCPMethod)
	case "mcp.tool.name", "mcp_tool_name", "gen_ai.tool.name":
		c.ToolName = first(v.Text(), c.ToolName)
	case "jsonrpc.request.id", "mcp.request.id", "mcp_request_id":
		c.RPCID = v.Text()
	case "mcp.provider.name", "mcp_backend":
		c.MCPServer = v.Text()
	case "gen_ai.request.model", "request_model":
		c.ModelRequested = v.Text()
	case "gen_ai.response.model", "response_model":
		c.ModelUsed = v.Text()
	case "gen_ai.provider.name", "gen_ai.system":
		c.GenAIProvider = first(v.Text(), c.GenAIProvider)
	case "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens":
		c.TokensIn = v.Small()
	case "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens":
		c.TokensOut = v.Small()
	case "gen_ai.tool.call.arguments", "mcp_arguments", "tool_arguments":
		d.arguments(v)
	default:
		return d.claimField(name, v) || d.header(strings.TrimPrefix(strings.TrimPrefix(name, "http_"), "request_header_"), v)
	}
	return true
}

// headers takes in an object of request headers.
func (d *draft) headers(v fields.Value) {
	if v.Kind != '{' {
		return
	}
	var k fields.Keys
	members, _, _ := k.Object(v.Raw, 0, nil)
	for _, m := range members {
		if !d.header(m.Key, m.Val) {
			d.keep("header."+m.Name, m.Val.Text())
		}
	}
}

// arguments of a tool call, for the digest and for the resources they name.
func (d *draft) arguments(v fields.Value) {
	switch v.Kind {
	case '{':
		d.in.Args, d.in.BodyLogged = v.Raw, true
	case '"', 's':
		if t := v.Text(); t != "" {
			d.in.Args, d.in.BodyLogged = []byte(t), true
		}
	}
}

// claimField takes in claims that the gateway logged after it had verified the
// token: one by one, or the payload.
func (d *draft) claimField(name string, v fields.Value) bool {
	rest, ok := strings.CutPrefix(name, "jwt")
	if !ok || rest != "" && rest[0] != '_' && rest[0] != '.' {
		return false
	}
	cl := &d.claims
	rest = strings.TrimPrefix(strings.TrimPrefix(strings.TrimLeft(rest, "._"), "claim_"), "claims.")
	switch rest {
	case "", "payload", "claims":
		raw := v.Raw
		if v.Kind == '"' {
			raw = fields.Unquote(v.Raw)
		}
		if len(raw) > 0 && raw[0] == '{' {
			if got, ok := identity.ParseClaims(raw); ok {
				d.claims, d.claimed = *got, true
			}
		}
	case "sub":
		d.claim(&cl.Subject, v.Text())
	case "azp", "client_id", "appid":
		d.claim(&cl.ClientID, v.Text())
	case "iss":
		d.claim(&cl.Issuer, v.Text())
	case "act_sub", "act.sub":
		if t := v.Text(); t != "" {
			cl.Act, d.claimed = []string{t}, true
		}
	case "txn":
		d.claim(&cl.Txn, v.Text())
	case "idtyp":
		d.claim(&cl.IDType, v.Text())
	case "xms_act_fct":
		d.claim(&cl.EntraActorFacets, v.Text())
	case "xms_sub_fct":
		d.claim(&cl.EntraSubjectFacets, v.Text())
	case "scope", "iat", "exp", "aud", "jti":
	default:
		return false // its name goes no further: redact drops what is called jwt
	}
	return true
}
