package clickhouse

import (
	"net/netip"
	"slices"

	"flyball/schema"
)

type call = schema.Call

// callsColumns returns the columns of calls_v5: those of calls_store and the actor, which is the first
// column of the order after the tenant.
func callsColumns() []column[call] {
	actor := num("actor_hash", "UInt32", func(c *call) uint32 { return c.ActorHash }).with(constant)
	return slices.Insert(legacyCallsColumns(), 1, actor)
}

// legacyCallsColumns returns the columns of calls_store, in which calls were written up to version 4. The calls view
// computes the values that can be derived: record and call keys, route_key, the operation of a plain HTTP call, the
// result digest of an outcome.
func legacyCallsColumns() []column[call] {
	return []column[call]{
		// Sorting key: identity of the call within its run.
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

		// Observer and time.
		word("format", func(c *call) string { return c.Format }),
		enum("observer_kind", schema.ObserverKindWords, func(c *call) schema.ObserverKind { return c.ObserverKind }),
		word("observer", func(c *call) string { return c.Observer }),
		num("kafka_delay", "Int64", kafkaDelay).with(amount),
		num("duration_ns", "Int64", func(c *call) int64 { return c.DurationNs }).with(span),
		enum("ts_precision", schema.PrecisionWords, func(c *call) schema.Precision { return c.TSPrecision }),
		enum("ts_basis", schema.BasisWords, func(c *call) schema.Basis { return c.TSBasis }),

		// Operation.
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

		// Outcome.
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

		// Origin of the request.
		address("client_ip", func(c *call) netip.Addr { return c.ClientIP }),
		name("user_agent", func(c *call) string { return c.UserAgent }),
		word("ua_product", func(c *call) string { return c.UAProduct }),
		raw16("trace_id", "FixedString(16)", func(c *call) [16]byte { return c.TraceID }).with(random),
		raw8("span_id", "FixedString(8)", func(c *call) [8]byte { return c.SpanID }).with(random),
		raw8("parent_span_id", "FixedString(8)", func(c *call) [8]byte { return c.ParentSpanID }).with(random),
		uuid("request_uuid", requestUUID).with(random),
		str("request_text", requestText),

		// Agent, credential, principal and task.
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

		// Digests, effect and resources.
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

		flag("counted", (*call).Counted).with(constant).ifMissing(countedBefore3),
	}
}

// countedBefore3 is whether a row counts that was written before schema version 3, which added the
// column: the check's rows never counted, nor did further observations.
const countedBefore3 = "(observer_kind != 'gate' AND attrs['observation_of'] = '')"
