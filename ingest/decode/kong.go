package decode

import (
	"flyball/ingest/fields"
	"flyball/schema"
)

// isKong recognises the object that Kong's logging plugins serialise.
func isKong(pairs []fields.Pair) bool {
	if fields.Get(pairs, "latencies").Kind == '{' {
		return fields.Get(pairs, "request").Kind == '{' || fields.Get(pairs, "started_at").Kind == '0'
	}
	return fields.Get(pairs, "started_at").Kind == '0' && fields.Get(pairs, "request").Kind == '{' || isKongAI(fields.Get(pairs, "ai"))
}

// isKongAI recognises the part that the AI plugins add, where an operator ships
// that part alone.
func isKongAI(v fields.Value) bool {
	if v.Kind != '{' {
		return false
	}
	var k fields.Keys
	members, _, err := k.Object(v.Raw, 0, nil)
	return err == nil && (fields.Get(members, "mcp").Kind == '{' || fields.Get(members, "proxy").Kind == '{')
}

// kong reads Kong's object. A request that carried MCP is a call for each of
// its JSON-RPC requests: what an agent asked for is a tool, not POST /mcp.
func (w *work) kong(b []byte, pairs []fields.Pair) {
	d := w.begin()
	d.kongRequest(&w.keys, pairs)
	bytesOf := func() []byte { return b }
	ai, _, _ := w.keys.Object(fields.Get(pairs, "ai").Raw, 0, nil)
	if ai == nil {
		w.end(bytesOf)
		return
	}
	d.kongModel(&w.keys, ai)
	mcp := kongMembers(&w.keys, fields.Get(ai, "mcp"))
	rpcs := fields.Get(mcp, "rpc")
	choose(&d.ranks.conversation, 4, &d.ev.Conversation, fields.Get(mcp, "mcp_session_id").Text())
	denied := kongDenials(&w.keys, fields.Get(mcp, "audit"))
	var list []fields.Value
	if rpcs.Kind == '[' {
		_, _ = fields.Elements(rpcs.Raw, func(v fields.Value) bool {
			list = append(list, v)
			return len(list) < w.p.opt.MaxItems
		})
	}
	if len(list) == 0 {
		for tool := range denied {
			d.call.MCPMethod, d.call.ToolName, d.call.Outcome, d.call.DeniedBy = "tools/call", tool, schema.OutcomeDenied, "ai-mcp"
			break
		}
		w.end(bytesOf)
		return
	}
	whole := w.d
	attrs := append([]schema.Attr(nil), w.d.attrs...)
	for _, v := range list {
		w.d = whole
		w.d.attrs = append(w.d.attrs[:0], attrs...)
		w.d.kongRPC(kongMembers(&w.keys, v), denied, len(list) > 1)
		w.end(bytesOf)
	}
}

func kongMembers(k *fields.Keys, v fields.Value) []fields.Pair {
	if v.Kind != '{' {
		return nil
	}
	members, _, _ := k.Object(v.Raw, 0, nil)
	return members
}

// kongRequest takes in the request as it came and as it was answered.
func (d *draft) kongRequest(k *fields.Keys, pairs []fields.Pair) {
	c, ev := &d.call, &d.ev
	c.Format, c.ObserverKind = formatKongJSON, schema.ObserverGateway
	var request, response, latencies, consumer, entity, service, route, trace []fields.Pair
	for i := range pairs {
		p := &pairs[i]
		d.step(p.Name)
		switch p.Key {
		case "started_at":
			d.time(9, p.Val.Text(), false)
		case "request":
			request = kongMembers(k, p.Val)
		case "response":
			response = kongMembers(k, p.Val)
		case "latencies":
			latencies = kongMembers(k, p.Val)
		case "consumer":
			consumer = kongMembers(k, p.Val)
		case "authenticated_entity":
			entity = kongMembers(k, p.Val)
		case "service":
			service = kongMembers(k, p.Val)
		case "route":
			route = kongMembers(k, p.Val)
		case "trace_id":
			trace = kongMembers(k, p.Val)
		case "client_ip":
			d.client(7, p.Val.Text())
		case "correlation_id":
			choose(&d.ranks.request, 8, &c.RequestID, p.Val.Text())
		case "upstream_status":
			if _, n, last := parseList(p.Val.Text(), 1); n > 0 {
				c.UpstreamStatus, c.Attempts = fields.Plain(last).Status(), uint8(min(n, 255))
			}
		case "tries", "ai", "upstream_uri", "workspace", "tags":
		case "workspace_name":
			d.keep("workspace", p.Val.Text())
		case "source":
			d.keep("source", p.Val.Text())
		default:
			// custom_fields_by_lua adds names of the operator's choice.
			if p.Val.Kind != '{' && p.Val.Kind != '[' && !d.field(p.Key, p.Val) {
				d.keep(p.Name, p.Val.Text())
			}
		}
	}
	d.step("request")
	c.Method = first(fields.Get(request, "method").Text(), c.Method)
	choose(&d.ranks.target, 4, &d.target, first(fields.Get(request, "uri").Text(), fields.Get(request, "url").Text()))
	c.BytesIn = fields.Get(request, "size").Count()
	choose(&d.ranks.request, 10, &c.RequestID, fields.Get(request, "id").Text())
	d.arguments(fields.Get(request, "body"))
	d.headers(fields.Get(request, "headers"))
	d.step("response")
	if s := fields.Get(response, "status").Status(); s != 0 {
		c.Status = s
	}
	c.BytesOut = fields.Get(response, "size").Count()
	d.step("latencies")
	d.duration(fields.Get(latencies, "request").Text(), 1e6)
	if ns, ok := parseAmount(fields.Get(latencies, "proxy").Text(), 1e6); ok {
		c.UpstreamNs = ns
	}
	d.step("consumer")
	ev.GatewayAgent = first(fields.Get(consumer, "custom_id").Text(), fields.Get(consumer, "username").Text())
	ev.GatewayCredential = first(fields.Get(entity, "id").Text(), fields.Get(consumer, "id").Text(), fields.Get(entity, "consumer_id").Text())
	d.step("service")
	c.API = first(fields.Get(service, "name").Text(), fields.Get(service, "host").Text())
	d.keep("route_name", fields.Get(route, "name").Text())
	d.kongTrace(trace)
}

// kongTrace takes in the trace of the tracing plugins, whose forms differ.
func (d *draft) kongTrace(trace []fields.Pair) {
	d.step("trace_id")
	for _, form := range [...]string{"w3c", "b3", "ot", "jaeger", "aws", "gcp"} {
		if t := fields.Get(trace, form).Text(); t != "" {
			d.header("x_b3_traceid", fields.Plain(t))
			return
		}
	}
}

// kongModel takes in what the AI proxy says of the model.
func (d *draft) kongModel(k *fields.Keys, ai []fields.Pair) {
	d.step("ai")
	c := &d.call
	for _, p := range ai {
		if p.Key == "mcp" || p.Val.Kind != '{' {
			continue
		}
		part := kongMembers(k, p.Val)
		meta, usage := kongMembers(k, fields.Get(part, "meta")), kongMembers(k, fields.Get(part, "usage"))
		if meta == nil && usage == nil {
			continue
		}
		c.ModelRequested = first(c.ModelRequested, fields.Get(meta, "request_model").Text())
		c.ModelUsed = first(c.ModelUsed, fields.Get(meta, "response_model").Text())
		c.GenAIProvider = first(c.GenAIProvider, fields.Get(meta, "provider_name").Text())
		c.TokensIn = max(c.TokensIn, fields.Get(usage, "prompt_tokens").Small())
		c.TokensOut = max(c.TokensOut, fields.Get(usage, "completion_tokens").Small())
	}
}

// kongDenials are the tools that the access list of the MCP plugin refused.
func kongDenials(k *fields.Keys, audit fields.Value) map[string]bool {
	if audit.Kind != '[' {
		return nil
	}
	var denied map[string]bool
	_, _ = fields.Elements(audit.Raw, func(v fields.Value) bool {
		a := kongMembers(k, v)
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

// kongRPC makes the call of one JSON-RPC request of those that a request
// carried; their own latency and size are known, the request's are the sum.
func (d *draft) kongRPC(rpc []fields.Pair, denied map[string]bool, several bool) {
	c := &d.call
	c.MCPMethod = first(fields.Get(rpc, "method").Text(), "tools/call")
	c.ToolName, c.RPCID = fields.Get(rpc, "tool_name").Text(), fields.Get(rpc, "id").Text()
	if several || c.DurationNs < 0 {
		c.DurationNs = -1
		d.duration(fields.Get(rpc, "latency").Text(), 1e6)
	}
	if n := fields.Get(rpc, "response_body_size").Count(); n > 0 {
		c.BytesOut = n
	}
	payload := fields.Get(rpc, "payload")
	if payload.Kind == '{' {
		var k fields.Keys
		d.arguments(fields.Get(kongMembers(&k, payload), "request"))
	}
	if e := fields.Get(rpc, "error"); e.Kind == '{' {
		var k fields.Keys
		c.RPCStatus = first(fields.Get(kongMembers(&k, e), "code").Text(), "error")
	} else {
		c.ErrorType = e.Text()
	}
	if denied[c.ToolName] {
		c.Outcome, c.DeniedBy = schema.OutcomeDenied, "ai-mcp"
	}
}
