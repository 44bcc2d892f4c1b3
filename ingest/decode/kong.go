package decode

import (
	"cmp"

	"flyball/ingest/fields"
	"flyball/schema"
)

// isKong reports whether an object has the form that Kong's logging plugins write.
func isKong(pairs []fields.Pair) bool {
	if fields.Get(pairs, "latencies").Kind == '{' {
		return fields.Get(pairs, "request").Kind == '{' || fields.Get(pairs, "started_at").Kind == '0'
	}
	return fields.Get(pairs, "started_at").Kind == '0' && fields.Get(pairs, "request").Kind == '{' || isKongAI(fields.Get(pairs, "ai"))
}

// isKongAI reports whether v is the part that Kong's AI plugins add; some operators log only this part.
func isKongAI(v fields.Value) bool {
	if v.Kind != '{' {
		return false
	}
	var k fields.Keys
	members, _, err := k.Object(v.Raw, 0, nil)
	return err == nil && (fields.Get(members, "mcp").Kind == '{' || fields.Get(members, "proxy").Kind == '{')
}

// kong reads Kong's object. A request that contained MCP becomes one call for each of its JSON-RPC requests, because the agent called a
// tool and not POST /mcp.
func (dec jsonReader) kong(b []byte, pairs []fields.Pair) {
	d := dec.beginCall()
	reader := kongReader{d, &dec.keys}
	reader.request(pairs)
	bytesOf := func() []byte { return b }
	ai := reader.members(fields.Get(pairs, "ai"))
	if ai == nil {
		dec.endCall(bytesOf)
		return
	}
	reader.model(ai)
	mcp := reader.members(fields.Get(ai, "mcp"))
	choose(&d.ranks.conversation, rankConversationInherited, &d.ev.Conversation, fields.Get(mcp, "mcp_session_id").Text())
	denied := reader.denials(fields.Get(mcp, "audit"))
	list := kongRPCs(fields.Get(mcp, "rpc"), dec.p.opt.MaxItems)
	if len(list) == 0 {
		for tool := range denied {
			d.call.MCPMethod, d.call.ToolName, d.call.Outcome, d.call.DeniedBy = "tools/call", tool, schema.OutcomeDenied, "ai-mcp"
			break
		}
		dec.endCall(bytesOf)
		return
	}
	whole := dec.d
	attrs := append([]schema.Attr(nil), dec.d.attrs...)
	for _, v := range list {
		dec.d = whole
		dec.d.attrs = append(dec.d.attrs[:0], attrs...)
		reader.rpc(reader.members(v), denied, len(list) > 1)
		dec.endCall(bytesOf)
	}
}

// kongRPCs returns the JSON-RPC requests of a list, at most limit.
func kongRPCs(v fields.Value, limit int) (list []fields.Value) {
	if v.Kind != '[' {
		return nil
	}
	_, _ = fields.Elements(v.Raw, func(v fields.Value) bool {
		list = append(list, v)
		return len(list) < limit
	})
	return list
}

// kongReader reads Kong's object into the draft.
type kongReader struct {
	*draft
	keys *fields.Keys
}

// members returns the members of an object, or nil if v is not an object.
func (k kongReader) members(v fields.Value) []fields.Pair {
	if v.Kind != '{' {
		return nil
	}
	members, _, _ := k.keys.Object(v.Raw, 0, nil)
	return members
}

// kongTable contains the members of Kong's object that are plain values. request reads the objects. Operators can add names with
// custom_fields_by_lua.
var kongTable = newTable(
	names(func(d *draft, v fields.Value) { d.time(rankTimeStart, v.Text(), false) }, "started_at"),
	names(func(d *draft, v fields.Value) { d.client(rankClientLogged, v.Text()) }, "client_ip"),
	names(requestID(rankRequestCorrelation), "correlation_id"),
	names(setUpstreamTries, "upstream_status"),
	names(func(d *draft, v fields.Value) { d.keep("workspace", v.Text()) }, "workspace_name"),
	names(func(d *draft, v fields.Value) { d.keep("source", v.Text()) }, "source"),
	names(setTries, "tries"),
	names(ignore, "ai", "upstream_uri", "workspace", "tags",
		"request", "response", "latencies", "consumer", "authenticated_entity", "service", "route", "trace_id"),
)

// setUpstreamTries reads the statuses of all tries. The last one is the status of the upstream.
func setUpstreamTries(d *draft, v fields.Value) {
	if _, n, last := parseList(v.Text(), 1); n > 0 {
		d.call.UpstreamStatus = fields.Plain(last).Status()
		d.call.Attempts = max(d.call.Attempts, uint8(min(n, 255)))
	}
}

// setTries counts the attempts of the balancer.
func setTries(d *draft, v fields.Value) {
	if v.Kind != '[' {
		return
	}
	n := uint8(0)
	_, _ = fields.Elements(v.Raw, func(fields.Value) bool { n++; return n < 255 })
	d.call.Attempts = max(d.call.Attempts, n)
}

// request reads the request and its response.
func (k kongReader) request(pairs []fields.Pair) {
	d := k.draft
	d.call.Format, d.call.ObserverKind = formatKongJSON, schema.ObserverGateway
	for i := range pairs {
		p := &pairs[i]
		d.readingFrom(p.Name)
		if set := kongTable.get(p.Key); set != nil {
			set(d, p.Val)
		} else if p.Val.Kind != '{' && p.Val.Kind != '[' && !d.field(p.Key, p.Val) {
			d.keep(p.Name, p.Val.Text())
		}
	}
	k.target(k.members(fields.Get(pairs, "request")))
	k.answer(k.members(fields.Get(pairs, "response")), k.members(fields.Get(pairs, "latencies")))
	k.consumer(k.members(fields.Get(pairs, "consumer")), k.members(fields.Get(pairs, "authenticated_entity")))
	d.readingFrom("service")
	service := k.members(fields.Get(pairs, "service"))
	d.call.API = cmp.Or(fields.Get(service, "name").Text(), fields.Get(service, "host").Text())
	d.keep("route_name", fields.Get(k.members(fields.Get(pairs, "route")), "name").Text())
	k.trace(k.members(fields.Get(pairs, "trace_id")))
}

func (k kongReader) target(request []fields.Pair) {
	d, c := k.draft, &k.call
	d.readingFrom("request")
	c.Method = cmp.Or(fields.Get(request, "method").Text(), c.Method)
	choose(&d.ranks.target, rankTargetPath, &d.target, cmp.Or(fields.Get(request, "uri").Text(), fields.Get(request, "url").Text()))
	c.BytesIn = fields.Get(request, "size").Count()
	choose(&d.ranks.request, rankRequestGateway, &c.RequestID, fields.Get(request, "id").Text())
	d.arguments(fields.Get(request, "body"))
	d.headers(fields.Get(request, "headers"))
}

func (k kongReader) answer(response, latencies []fields.Pair) {
	k.readingFrom("response")
	setStatus(k.draft, fields.Get(response, "status"))
	k.call.BytesOut = fields.Get(response, "size").Count()
	k.readingFrom("latencies")
	k.duration(fields.Get(latencies, "request").Text(), 1e6)
	if ns, ok := parseAmount(fields.Get(latencies, "proxy").Text(), 1e6); ok {
		k.call.UpstreamNs = ns
	}
}

func (k kongReader) consumer(consumer, entity []fields.Pair) {
	k.readingFrom("consumer")
	ev := &k.ev
	ev.GatewayAgent = cmp.Or(fields.Get(consumer, "custom_id").Text(), fields.Get(consumer, "username").Text())
	ev.GatewayCredential = cmp.Or(fields.Get(entity, "id").Text(), fields.Get(consumer, "id").Text(), fields.Get(entity, "consumer_id").Text())
}

// trace reads the trace id. Its format depends on the tracing plugin.
func (k kongReader) trace(trace []fields.Pair) {
	k.readingFrom("trace_id")
	for _, form := range [...]string{"w3c", "b3", "ot", "jaeger", "aws", "gcp"} {
		if t := fields.Get(trace, form).Text(); t != "" {
			k.header("x_b3_traceid", fields.Plain(t))
			return
		}
	}
}

// model reads the model, provider and token counts that the AI proxy logs.
func (k kongReader) model(ai []fields.Pair) {
	k.readingFrom("ai")
	c := &k.call
	for _, p := range ai {
		if p.Key == "mcp" || p.Val.Kind != '{' {
			continue
		}
		part := k.members(p.Val)
		meta, usage := k.members(fields.Get(part, "meta")), k.members(fields.Get(part, "usage"))
		if meta == nil && usage == nil {
			continue
		}
		c.ModelRequested = cmp.Or(c.ModelRequested, fields.Get(meta, "request_model").Text())
		c.ModelUsed = cmp.Or(c.ModelUsed, fields.Get(meta, "response_model").Text())
		c.GenAIProvider = cmp.Or(c.GenAIProvider, fields.Get(meta, "provider_name").Text())
		c.TokensIn = max(c.TokensIn, fields.Get(usage, "prompt_tokens").Small())
		c.TokensOut = max(c.TokensOut, fields.Get(usage, "completion_tokens").Small())
	}
}

// denials returns the tools that the access list of the MCP plugin denied.
func (k kongReader) denials(audit fields.Value) map[string]bool {
	if audit.Kind != '[' {
		return nil
	}
	var denied map[string]bool
	_, _ = fields.Elements(audit.Raw, func(v fields.Value) bool {
		a := k.members(v)
		if fields.Get(a, "action").Text() == "deny" {
			if denied == nil {
				denied = map[string]bool{}
			}
			denied[fields.Get(a, "primitive_name").Text()] = true
		}
		return true
	})
	return denied
}

// rpc fills the call of one JSON-RPC request with its own latency and size. several reports that the HTTP request contained
// more than one; the duration of the HTTP request is then their sum and is not used.
func (k kongReader) rpc(rpc []fields.Pair, denied map[string]bool, several bool) {
	c := &k.call
	c.MCPMethod = cmp.Or(fields.Get(rpc, "method").Text(), "tools/call")
	c.ToolName, c.RPCID = fields.Get(rpc, "tool_name").Text(), fields.Get(rpc, "id").Text()
	if several || c.DurationNs < 0 {
		c.DurationNs = -1
		k.duration(fields.Get(rpc, "latency").Text(), 1e6)
	}
	if n := fields.Get(rpc, "response_body_size").Count(); n > 0 {
		c.BytesOut = n
	}
	payload := fields.Get(rpc, "payload")
	if payload.Kind == '{' {
		k.arguments(fields.Get(kongReader{keys: &fields.Keys{}}.members(payload), "request"))
	}
	if e := fields.Get(rpc, "error"); e.Kind == '{' {
		c.RPCStatus = cmp.Or(fields.Get(kongReader{keys: &fields.Keys{}}.members(e), "code").Text(), "error")
	} else {
		c.ErrorType = e.Text()
	}
	if denied[c.ToolName] {
		c.Outcome, c.DeniedBy = schema.OutcomeDenied, "ai-mcp"
	}
}
