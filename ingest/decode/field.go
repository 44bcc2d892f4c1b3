package decode

import (
	"cmp"
	"slices"
	"strings"

	"flyball/ingest/fields"
	"flyball/schema/identity"
)

// field reads a fact that the logging gateway or service states, under the names that gateways share. Such a name can establish an
// identity, so request headers must not be passed to field under their own names. It reports whether the name is known.
func (d *draft) field(name string, v fields.Value) bool {
	if set := fieldTable.get(name); set != nil {
		set(d, v)
		return true
	}
	return d.claimField(name, v) || d.header(strings.TrimPrefix(strings.TrimPrefix(name, "http_"), "request_header_"), v)
}

// fieldTable contains the fields that gateways and services log under shared names. It is filled by init, because a field may contain an
// object of headers.
var fieldTable *table

func init() {
	fieldTable = newTable(slices.Concat(requestFields, identityFields, operationFields)...)
	// Envoy's table contains the shared fields too, so that each member needs one look-up.
	for _, bucket := range fieldTable.buckets {
		for _, e := range bucket {
			if envoyTable.get(e.name) == nil {
				envoyTable.add(e.name, e.set)
			}
		}
	}
}

// requestFields describe the request and its result.
var requestFields = []row{
	names(text(func(d *draft) *string { return &d.call.Method }), "method", "request_method", "http_method", "httpmethod", "requestmethod",
		"http.method",
		"http.request.method"),
	names(target(rankTargetOriginal), "x_envoy_origin_path", "x_envoy_original_path", "request_uri"),
	names(target(rankTargetPath), "path", "requestpath", "http_path", "http.path", "http.target"),
	names(target(rankTargetURL), "url.full", "http.url"),
	names(target(rankTargetURI), "uri", "uri_path"),
	names(setQuery, "args", "query_string", "request_query"),
	names(textOrNothing(func(d *draft) *string { return &d.in.SourceRoute }), "http.route"), // nginx writes a request header as http_route
	names(host(rankHostAuthority), "authority", "host", "http_host", "request_authority", "vhost"),
	names(host(rankHostServer), "server_name", "http.host", "net.host.name"),
	names(textOrNothing(func(d *draft) *string { return &d.call.Scheme }), "scheme", "x_forwarded_proto"),
	names(setStatus, "status", "response_code", "responsecode", "status_code", "http_status", "http.status", "http.response.status_code",
		"http.status_code"),
	names(func(d *draft, v fields.Value) { d.client(rankClientLogged, v.Text()) }, "client_ip", "remote_ip"),
	names(func(d *draft, v fields.Value) { d.client(rankClientRemote, v.Text()) }, "remote_addr"),
	names(text(func(d *draft) *string { return &d.peer }), "downstream_remote_address", "downstream_direct_remote_address",
		"downstream_remote", "sourceipport"),
	names(setTraceID, "trace_id", "traceid", "trace.id"),
	names(setSpanID, "span_id", "spanid", "span.id", "x_b3_spanid"),
	names(durationIn(1e6), "duration_ms", "latency_ms", "elapsed_ms", "response_time_ms", "request_time_ms", "request_duration_ms"),
	names(durationIn(1e3), "duration_us", "latency_us", "elapsed_us"),
	names(durationIn(1), "duration_ns", "latency_ns", "elapsed_ns"),
	names(durationIn(1e9), "duration_s", "duration_seconds", "latency_s", "elapsed_s"),
	names(setGRPCStatus, "grpc_status", "grpc_status_number", "grpc_status_code", "grpc.status", "rpc.grpc.status_code"),
	names(func(d *draft, v fields.Value) { d.call.SampleWeight = v.Small() }, "sample_weight", "sample_interval"),
	names(textOrNothing(func(d *draft) *string { return &d.call.DeniedBy }), "denied_by", "agent.threat.detection.rule_id"),
	names((*draft).headers, "request_headers", "headers"),
}

// identityFields describe the caller as the gateway established it.
var identityFields = []row{
	names(setConsumer, "x_consumer", "consumer", "x_consumer_username", "x_consumer_custom_id"),
	names(text(func(d *draft) *string { return &d.ev.GatewayUser }), "x_principal", "x_principal_id", "principal_id", "x_user_id", "user_id"),
	names(func(d *draft, v fields.Value) { setSPIFFE(d, v.Text()) }, "peer", "downstream_peer_uri_san", "spiffe", "spiffe_id", "src.identity"),
	names(func(d *draft, v fields.Value) { setSPIFFE(d, identity.ParseXFCC(v.Text())) }, "x_forwarded_client_cert"),
	names(textOrNothing(func(d *draft) *string { return &d.ev.CertSubject }), "ssl_client_s_dn", "downstream_peer_subject"),
	names(func(d *draft, v fields.Value) {
		d.unverified = v.Text() != "" && !strings.EqualFold(v.Text(), "SUCCESS")
	}, "ssl_client_verify"),
	names(textOrNothing(func(d *draft) *string { return &d.ev.CertFingerprint }), "ssl_client_fingerprint", "downstream_peer_fingerprint_256"),
	names(textOrNothing(func(d *draft) *string { return &d.ev.RemoteUser }), "remote_user"),
	// The check sends these to the gateway. x_flyball_run would be a header of the client.
	names(text(func(d *draft) *string { return &d.ev.GateRun }), "flyball_run"),
	names(text(func(d *draft) *string { return &d.ev.Receipt }), "flyball_receipt"),
	names(textOrNothing(func(d *draft) *string { return &d.ev.APIKeyID }), "x_api_key_id", "api_key_id", "api_key.id"),
}

// operationFields describe tools, models and their arguments.
var operationFields = []row{
	names(textOrNothing(func(d *draft) *string { return &d.in.LoggedDigest }), "x_args_digest", "args_digest"),
	names(text(func(d *draft) *string { return &d.call.MCPMethod }), "mcp.method.name", "mcp_method_name", "mcp.method"),
	names(text(func(d *draft) *string { return &d.call.ToolName }), "mcp.tool.name", "mcp_tool_name", "gen_ai.tool.name",
		"tool_name", "gen_ai_tool_name"),
	names(textOrNothing(func(d *draft) *string { return &d.call.RPCID }), "jsonrpc.request.id", "mcp.request.id", "mcp_request_id"),
	names(textOrNothing(func(d *draft) *string { return &d.call.MCPServer }), "mcp.provider.name", "mcp_backend", "mcp.server.name",
		"mcp_server_name",
		"litellm.mcp.server.name", "mcp_server"),
	names(textOrNothing(func(d *draft) *string { return &d.call.ModelRequested }), "gen_ai.request.model", "request_model", "genai_model_name",
		"genai_request_model", "gen_ai_request_model", "llm_model", "ai_model"),
	names(textOrNothing(func(d *draft) *string { return &d.call.ModelUsed }), "gen_ai.response.model", "response_model",
		"genai_model_name_override", "genai_response_model", "gen_ai_response_model"),
	names(text(func(d *draft) *string { return &d.call.GenAIProvider }), "gen_ai.provider.name", "gen_ai.system",
		"genai_backend_name", "genai_provider_name", "gen_ai_provider_name", "gen_ai_system"),
	names(func(d *draft, v fields.Value) { d.call.TokensIn = v.Small() }, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens",
		"genai_tokens_input", "genai_input_tokens", "gen_ai_usage_input_tokens", "llm_input_token", "llm_input_tokens", "input_tokens",
		"prompt_tokens"),
	names(func(d *draft, v fields.Value) { d.call.TokensOut = v.Small() }, "gen_ai.usage.output_tokens",
		"gen_ai.usage.completion_tokens", "genai_tokens_output", "genai_output_tokens", "gen_ai_usage_output_tokens", "llm_output_token",
		"llm_output_tokens", "output_tokens", "completion_tokens"),
	names(setModelLog, "ai_log"),
	names((*draft).arguments, "gen_ai.tool.call.arguments", "mcp_arguments", "tool_arguments",
		"mcp.tool.arguments", "mcp.arguments"),
}

// setModelLog reads the object that Higress writes about a request to a model.
func setModelLog(d *draft, v fields.Value) {
	raw := v.Raw
	if v.Kind == '"' {
		raw = fields.Unquote(v.Raw)
	}
	if len(raw) == 0 || raw[0] != '{' {
		return
	}
	var k fields.Keys
	members, _, _ := k.Object(raw, 0, nil)
	c := &d.call
	c.ModelRequested = cmp.Or(fields.Get(members, "model").Text(), c.ModelRequested)
	c.GenAIProvider = cmp.Or(fields.Get(members, "provider").Text(), c.GenAIProvider)
	c.TokensIn, c.TokensOut = fields.Get(members, "input_token").Small(), fields.Get(members, "output_token").Small()
}

func target(rank uint8) setter {
	return ranked(func(d *draft) *uint8 { return &d.ranks.target }, rank, func(d *draft) *string { return &d.target })
}

func setQuery(d *draft, v fields.Value) {
	if t := v.Text(); t != "" && d.in.RawQuery == "" {
		d.in.RawQuery = strings.TrimPrefix(t, "?")
	}
}

func setStatus(d *draft, v fields.Value) {
	if s := v.Status(); s != 0 {
		d.call.Status = s
	}
}

func durationIn(unit int64) setter {
	return func(d *draft, v fields.Value) { d.duration(v.Text(), unit) }
}

func setTraceID(d *draft, v fields.Value) {
	if t, _, ok := identity.ParseTrace(v.Text()); ok && better(&d.ranks.trace, rankTraceLogged) {
		d.call.TraceID = t
	}
}

func setSpanID(d *draft, v fields.Value) {
	if s, ok := identity.ParseSpanID(v.Text()); ok && better(&d.ranks.span, rankTraceLogged) {
		d.call.SpanID = s
	}
}

func setGRPCStatus(d *draft, v fields.Value) {
	d.grpc = v.Text()
	d.call.RPCStatus = cmp.Or(d.grpc, d.call.RPCStatus)
}

func setConsumer(d *draft, v fields.Value) {
	if t := v.Text(); t != "" {
		d.ev.GatewayAgent, d.ev.GatewayCredential = t, t
	}
}

func setSPIFFE(d *draft, id string) {
	if strings.HasPrefix(id, "spiffe://") {
		d.ev.SPIFFE = id
	}
}

// headers reads an object of request headers.
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

// arguments reads the arguments of a tool call, the input of the digest and of the resources.
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

// claimField reads claims that the gateway logged after it had verified the token: single claims or the whole payload. It reports whether
// the claim is known.
func (d *draft) claimField(name string, v fields.Value) bool {
	rest, ok := strings.CutPrefix(name, "jwt")
	if !ok || rest != "" && rest[0] != '_' && rest[0] != '.' {
		return false
	}
	rest = strings.TrimPrefix(strings.TrimPrefix(strings.TrimLeft(rest, "._"), "claim_"), "claims.")
	set := claimTable.get(rest)
	if set != nil {
		set(d, v)
	}
	return set != nil // an unknown name is passed on, and redact drops names with jwt
}

// claimTable contains the claims of a token that are read, by name. The empty name is the whole payload.
var claimTable = newTable(
	names(setClaims, "", "payload", "claims"),
	names(claim(func(c *identity.Claims) *string { return &c.Subject }), "sub"),
	names(claim(func(c *identity.Claims) *string { return &c.ClientID }), "azp", "client_id", "appid"),
	names(claim(func(c *identity.Claims) *string { return &c.Issuer }), "iss"),
	names(setActor, "act_sub", "act.sub"),
	names(claim(func(c *identity.Claims) *string { return &c.Txn }), "txn"),
	names(claim(func(c *identity.Claims) *string { return &c.IDType }), "idtyp"),
	names(claim(func(c *identity.Claims) *string { return &c.EntraActorFacets }), "xms_act_fct"),
	names(claim(func(c *identity.Claims) *string { return &c.EntraSubjectFacets }), "xms_sub_fct"),
	names(ignore, "scope", "iat", "exp", "aud", "jti"),
)

func claim(field func(*identity.Claims) *string) setter {
	return func(d *draft, v fields.Value) { d.claim(field(&d.claims), v.Text()) }
}

func setActor(d *draft, v fields.Value) {
	if t := v.Text(); t != "" {
		d.claims.Act, d.claimed = []string{t}, true
	}
}

// setClaims reads the payload of a token: an object, or a text that contains one.
func setClaims(d *draft, v fields.Value) {
	raw := v.Raw
	if v.Kind == '"' {
		raw = fields.Unquote(v.Raw)
	}
	if len(raw) > 0 && raw[0] == '{' {
		if got, ok := identity.ParseClaims(raw); ok {
			d.claims, d.claimed = *got, true
		}
	}
}
