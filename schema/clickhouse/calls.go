package clickhouse

import (
	"encoding/hex"
	"net/netip"

	"flyball/schema"
)

// CallsBlock builds rows of calls_store.
type CallsBlock struct{ block[schema.Call] }

// NewCallsBlock makes an empty block.
func NewCallsBlock() *CallsBlock { return &CallsBlock{newBlock(callsColumns())} }

// Append adds a call. Nothing of c is kept.
func (b *CallsBlock) Append(c *schema.Call) { b.add(c) }

type call = schema.Call

// callsColumns is the one list of calls_store's columns. What can be derived
// (record and call keys, route_key, the operation of a plain HTTP call, the
// result digest of an outcome) is derived by the calls view.
func callsColumns() []column[call] {
	return []column[call]{
		// The sorting key: identity of the call within its run.
		word("tenant", func(c *call) string { return c.Tenant }),
		uuid("run_id", func(c *call) [16]byte { return c.RunID }),
		clockNs("start_time", func(c *call) int64 { return c.Start }),
		word("source_topic", func(c *call) string { return c.Source.Topic }),
		uuid("source_topic_id", func(c *call) [16]byte { return c.Source.TopicID }),
		num("source_partition", "Int32", func(c *call) int32 { return c.Source.Partition }).with(constant),
		num("source_offset", "Int64", func(c *call) int64 { return c.Pos.Offset }).with(offset),
		num("item", "UInt32", func(c *call) uint32 { return c.Pos.Item }).with(amount),

		// Stitching.
		num("segment", "Int64", func(c *call) int64 { return c.Segment }).with(constant),
		num("calls_partition", "Int32", func(c *call) int32 { return c.CallsPart }).with(constant),
		num("calls_offset", "Int64", func(c *call) int64 { return c.CallsOffset }).with(offset),
		enum("run_rule", schema.RunRuleWords, func(c *call) schema.RunRule { return c.RunRule }),
		num("run_confidence", "UInt8", func(c *call) uint8 { return c.RunConfidence }).with(constant),
		name("run_key", func(c *call) string { return c.RunKey }),
		word("run_key_source", func(c *call) string { return c.RunKeySource }),
		flag("agent_span", func(c *call) bool { return c.AgentSpan }),
		flag("late", func(c *call) bool { return c.Late }),

		// Who saw it, and when.
		word("format", func(c *call) string { return c.Format }),
		enum("observer_kind", schema.ObserverKindWords, func(c *call) schema.ObserverKind { return c.ObserverKind }),
		word("observer", func(c *call) string { return c.Observer }),
		num("kafka_delay", "Int64", kafkaDelay).with(amount),
		num("duration_ns", "Int64", func(c *call) int64 { return c.DurationNs }).with(span),
		enum("ts_precision", schema.PrecisionWords, func(c *call) schema.Precision { return c.TSPrecision }),
		enum("ts_basis", schema.BasisWords, func(c *call) schema.Basis { return c.TSBasis }),

		// What was called.
		enum("op_kind", schema.OpKindWords, func(c *call) schema.OpKind { return c.OpKind }),
		word("method", func(c *call) string { return c.Method }),
		word("scheme", func(c *call) string { return c.Scheme }),
		word("host", func(c *call) string { return c.Host }),
		str("path", func(c *call) string { return c.Path }),
		wordList("query_keys", func(c *call) []string { return c.QueryKeys }),
		word("route", func(c *call) string { return c.Route }),
		enum("route_source", schema.RouteSourceWords, func(c *call) schema.RouteSource { return c.RouteSource }),
		word("api", func(c *call) string { return c.API }),
		word("operation_named", operationNamed),
		word("mcp_method", func(c *call) string { return c.MCPMethod }),
		word("tool_name", func(c *call) string { return c.ToolName }),
		str("tool_call_id", func(c *call) string { return c.ToolCallID }),
		str("rpc_id", func(c *call) string { return c.RPCID }),
		word("mcp_server", func(c *call) string { return c.MCPServer }),
		word("gen_ai_provider", func(c *call) string { return c.GenAIProvider }),
		word("model_requested", func(c *call) string { return c.ModelRequested }),
		word("model_used", func(c *call) string { return c.ModelUsed }),
		num("tokens_in", "UInt32", func(c *call) uint32 { return c.TokensIn }).with(amount),
		num("tokens_out", "UInt32", func(c *call) uint32 { return c.TokensOut }).with(amount),
		float("cost_usd", func(c *call) float64 { return c.CostUSD }).with(constant),

		// How it went.
		num("status", "UInt16", func(c *call) uint16 { return c.Status }).with(amount),
		word("rpc_status", func(c *call) string { return c.RPCStatus }),
		enum("outcome", schema.OutcomeWords, func(c *call) schema.Outcome { return c.Outcome }),
		word("error_type", func(c *call) string { return c.ErrorType }),
		str("error_message", func(c *call) string { return c.ErrorMessage }),
		word("denied_by", func(c *call) string { return c.DeniedBy }),
		num("upstream_status", "UInt16", func(c *call) uint16 { return c.UpstreamStatus }).with(amount),
		num("upstream_ns", "Int64", func(c *call) int64 { return c.UpstreamNs }).with(span),
		num("attempts", "UInt8", func(c *call) uint8 { return c.Attempts }).with(constant),
		num("bytes_in", "UInt64", func(c *call) uint64 { return c.BytesIn }).with(amount),
		num("bytes_out", "UInt64", func(c *call) uint64 { return c.BytesOut }).with(amount),
		num("sample_weight", "UInt32", func(c *call) uint32 { return c.SampleWeight }).with(amount),

		// Where it came from.
		address("client_ip", func(c *call) netip.Addr { return c.ClientIP }),
		name("user_agent", func(c *call) string { return c.UserAgent }),
		word("ua_product", func(c *call) string { return c.UAProduct }),
		raw16("trace_id", "FixedString(16)", func(c *call) [16]byte { return c.TraceID }).with(random),
		raw8("span_id", "FixedString(8)", func(c *call) [8]byte { return c.SpanID }).with(random),
		raw8("parent_span_id", "FixedString(8)", func(c *call) [8]byte { return c.ParentSpanID }).with(random),
		uuid("request_uuid", requestUUID).with(random),
		str("request_text", requestText),

		// Who acted, and for whom.
		name("agent_id", func(c *call) string { return c.AgentID }),
		name("agent_name", func(c *call) string { return c.AgentName }),
		word("agent_version", func(c *call) string { return c.AgentVersion }),
		name("parent_agent_id", func(c *call) string { return c.ParentAgent }),
		word("agent_source", func(c *call) string { return c.AgentSource }),
		enum("agent_trust", schema.TrustWords, func(c *call) schema.Trust { return c.AgentTrust }),
		name("agent_asserted", func(c *call) string { return c.AgentAsserted }),
		name("credential_id", func(c *call) string { return c.CredentialID }),
		enum("credential_kind", schema.CredentialKindWords, func(c *call) schema.CredentialKind { return c.CredentialKind }),
		word("credential_source", func(c *call) string { return c.CredentialSource }),
		enum("credential_trust", schema.TrustWords, func(c *call) schema.Trust { return c.CredentialTrust }),
		name("principal_id", func(c *call) string { return c.PrincipalID }),
		enum("principal_kind", schema.PrincipalKindWords, func(c *call) schema.PrincipalKind { return c.PrincipalKind }),
		word("principal_source", func(c *call) string { return c.PrincipalSource }),
		enum("principal_trust", schema.TrustWords, func(c *call) schema.Trust { return c.PrincipalTrust }),
		wordList("actor_chain", func(c *call) []string { return c.ActorChain }).as("Array(String)"),
		enum("caller_kind", schema.CallerKindWords, func(c *call) schema.CallerKind { return c.CallerKind }),
		num("caller_confidence", "UInt8", func(c *call) uint8 { return c.CallerConfidence }).with(constant),
		name("task_id", func(c *call) string { return c.TaskID }),
		word("task_source", func(c *call) string { return c.TaskSource }),
		enum("task_trust", schema.TrustWords, func(c *call) schema.Trust { return c.TaskTrust }),
		name("conversation_id", func(c *call) string { return c.ConversationID }),

		// What it did.
		num("args_digest", "UInt64", func(c *call) uint64 { return c.ArgsDigest }).with(random),
		enum("args_digest_basis", schema.DigestBasisWords, func(c *call) schema.DigestBasis { return c.ArgsDigestBasis }),
		num("result_digest_logged", "UInt64", resultDigest).with(random),
		enum("result_digest_basis", schema.DigestBasisWords, func(c *call) schema.DigestBasis { return c.ResultDigestBasis }),
		enum("effect", schema.EffectWords, func(c *call) schema.Effect { return c.Effect }),
		enum("effect_source", schema.ProvenanceWords, func(c *call) schema.Provenance { return c.EffectSource }),
		enum("reversibility", schema.ReversibilityWords, func(c *call) schema.Reversibility { return c.Reversibility }),
		enum("reversibility_source", schema.ProvenanceWords, func(c *call) schema.Provenance { return c.ReversibilitySource }),
		resources("resources"),
		resourceSources("resource_sources"),
		attrs("attrs"),
	}
}

// kafkaDelay is the record's Kafka time less the start, in milliseconds: a
// byte where the time itself would be four. Zero is unknown, so delays from
// zero up are one more.
func kafkaDelay(c *call) int64 {
	if c.KafkaTime == 0 {
		return 0
	}
	d := floorMilli(c.KafkaTime) - floorMilli(c.Start)
	if d >= 0 {
		d++
	}
	return d
}

func floorMilli(ns int64) int64 {
	ms := ns / 1e6
	if ns%1e6 < 0 {
		ms--
	}
	return ms
}

// operationNamed leaves out "METHOD /route", which the view puts together.
func operationNamed(c *call) string {
	o, m := c.Operation, len(c.Method)
	if len(o) == m+1+len(c.Route) && o[m] == ' ' && o[:m] == c.Method && o[m+1:] == c.Route {
		return ""
	}
	return o
}

// requestUUID is a request id that is a UUID in its usual form: 16 bytes
// instead of 36. requestText is every other one.
func requestUUID(c *call) [16]byte {
	u, _ := parseUUID(c.RequestID)
	return u
}

func requestText(c *call) string {
	if _, ok := parseUUID(c.RequestID); ok {
		return ""
	}
	return c.RequestID
}

func parseUUID(s string) (u [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, false
	}
	var b [32]byte
	copy(b[:], s[:8])
	copy(b[8:], s[9:13])
	copy(b[12:], s[14:18])
	copy(b[16:], s[19:23])
	copy(b[20:], s[24:])
	for _, ch := range b {
		if ch >= 'A' && ch <= 'F' {
			return u, false // would come back in lower case
		}
	}
	if _, err := hex.Decode(u[:], b[:]); err != nil {
		return [16]byte{}, false
	}
	return u, u != [16]byte{}
}

func resultDigest(c *call) uint64 {
	if c.ResultDigestBasis == schema.DigestOutcome {
		return 0
	}
	return c.ResultDigest
}

// resources holds "type:id", as analysts read it.
func resources(name string) column[call] {
	t := &text{}
	a := &arrays{elems: []data{t}}
	const typ = "Array(String)"
	return column[call]{name: name, typ: typ, wire: typ, codec: constant, data: a, put: func(c *call, row int) {
		if len(c.Resources) == 0 {
			return
		}
		at := a.open(row, len(c.Resources))
		for i := range c.Resources {
			t.putResource(at+i, &c.Resources[i])
		}
	}}
}

func (t *text) putResource(row int, r *schema.Resource) {
	t.buf = zeros(t.buf, row-t.rows)
	t.rows = row + 1
	t.buf = appendLen(t.buf, len(r.Type)+1+len(r.ID))
	t.buf = append(t.buf, r.Type...)
	t.buf = append(t.buf, ':')
	t.buf = append(t.buf, r.ID...)
}

func resourceSources(name string) column[call] {
	f := &fixed{size: 1}
	a := &arrays{elems: []data{f}}
	return column[call]{name: name, typ: "Array(" + enum8(schema.ProvenanceWords) + ")", wire: "Array(Int8)", codec: constant, data: a, put: func(c *call, row int) {
		if len(c.Resources) == 0 {
			return
		}
		a.open(row, len(c.Resources))
		for i := range c.Resources {
			f.buf = append(f.buf, byte(c.Resources[i].Source))
		}
	}}
}

func attrs(name string) column[call] {
	keys, values := &words{}, &text{}
	a := &arrays{elems: []data{keys, values}}
	const typ = "Map(LowCardinality(String), String)"
	return column[call]{name: name, typ: typ, wire: typ, codec: phrase, data: a, put: func(c *call, row int) {
		if len(c.Attrs) == 0 {
			return
		}
		at := a.open(row, len(c.Attrs))
		for i := range c.Attrs {
			keys.put(at+i, c.Attrs[i].Key)
			values.put(at+i, c.Attrs[i].Value)
		}
	}}
}
