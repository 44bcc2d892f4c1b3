package clickhouse

import (
	"slices"

	"flyball/schema"
)

type snapshot = schema.RunSnapshot

// runsColumns returns the columns of runs_v5: those of runs_store, the hash of the actor, which is the first
// column of the order after the tenant, and the day, which is the partition.
func runsColumns() []column[snapshot] {
	return slices.Insert(legacyRunsColumns(), 1,
		num("actor_hash", "UInt32", func(r *snapshot) uint32 { return schema.HashActor(r.Actor) }).with(constant),
		num("opened_day", "Date", func(r *snapshot) uint16 { return r.OpenedDay }).with(constant))
}

// legacyRunsColumns returns the columns of runs_store, in which runs were written up to version 4.
func legacyRunsColumns() []column[snapshot] {
	count := func(name string, get func(*snapshot) uint64) column[snapshot] {
		return num(name, "UInt64", get).with(amount)
	}
	return []column[snapshot]{
		word("tenant", func(r *snapshot) string { return r.Tenant }),
		uuid("run_id", func(r *snapshot) [16]byte { return r.RunID }),
		num("segment", "Int64", func(r *snapshot) int64 { return r.Segment }).with(constant),
		num("version", "UInt64", func(r *snapshot) uint64 { return r.Version }).with(amount),
		num("calls_partition", "Int32", func(r *snapshot) int32 { return r.CallsPart }).with(constant),

		name("run_key", func(r *snapshot) string { return r.RunKey }),
		name("actor", func(r *snapshot) string { return r.Actor }),
		enum("run_rule", schema.RunRuleWords, func(r *snapshot) schema.RunRule { return r.Rule }),
		num("run_confidence", "UInt8", func(r *snapshot) uint8 { return r.Confidence }),
		enum("state", schema.RunStateWords, func(r *snapshot) schema.RunState { return r.State }),

		name("agent_id", func(r *snapshot) string { return r.AgentID }),
		name("agent_name", func(r *snapshot) string { return r.AgentName }),
		word("agent_version", func(r *snapshot) string { return r.AgentVersion }),
		word("agent_source", func(r *snapshot) string { return r.AgentSource }),
		enum("agent_trust", schema.TrustWords, func(r *snapshot) schema.Trust { return r.AgentTrust }),
		name("agent_asserted", func(r *snapshot) string { return r.AgentAsserted }),
		name("credential_id", func(r *snapshot) string { return r.CredentialID }),
		enum("credential_kind", schema.CredentialKindWords, func(r *snapshot) schema.CredentialKind { return r.CredentialKind }),
		name("principal_id", func(r *snapshot) string { return r.PrincipalID }),
		enum("principal_kind", schema.PrincipalKindWords, func(r *snapshot) schema.PrincipalKind { return r.PrincipalKind }),
		word("principal_source", func(r *snapshot) string { return r.PrincipalSource }),
		enum("principal_trust", schema.TrustWords, func(r *snapshot) schema.Trust { return r.PrincipalTrust }),
		enum("caller_kind", schema.CallerKindWords, func(r *snapshot) schema.CallerKind { return r.CallerKind }),
		name("task_id", func(r *snapshot) string { return r.TaskID }),
		enum("task_trust", schema.TrustWords, func(r *snapshot) schema.Trust { return r.TaskTrust }),
		name("conversation_id", func(r *snapshot) string { return r.ConversationID }),
		uuid("parent_run_id", func(r *snapshot) [16]byte { return r.ParentRunID }),
		raw16("trace_id", "FixedString(16)", func(r *snapshot) [16]byte { return r.TraceID }).with(random),

		clockNs("started_at", func(r *snapshot) int64 { return r.StartedAt }),
		clockNs("last_at", func(r *snapshot) int64 { return r.LastAt }),
		count("calls", func(r *snapshot) uint64 { return r.Calls }),
		count("errors", func(r *snapshot) uint64 { return r.Errors }),
		count("denied", func(r *snapshot) uint64 { return r.Denied }),
		count("irreversible", func(r *snapshot) uint64 { return r.Irreversible }),
		count("unsafe", func(r *snapshot) uint64 { return r.Unsafe }),
		count("bytes_out", func(r *snapshot) uint64 { return r.BytesOut }),
		count("tokens_in", func(r *snapshot) uint64 { return r.TokensIn }),
		count("tokens_out", func(r *snapshot) uint64 { return r.TokensOut }),
		num("distinct_routes", "UInt32", func(r *snapshot) uint32 { return r.DistinctRoutes }).with(amount),
		num("distinct_resources", "UInt32", func(r *snapshot) uint32 { return r.DistinctResources }).with(amount),
		count("late_calls", func(r *snapshot) uint64 { return r.LateCalls }),
		count("overflow_keys", func(r *snapshot) uint64 { return r.OverflowKeys }),
		count("sampled_calls", func(r *snapshot) uint64 { return r.SampledCalls }),
		float("score", func(r *snapshot) float64 { return r.Score }).with(constant),
		enum("level", schema.LevelWords, func(r *snapshot) schema.Level { return r.Level }),
	}
}
