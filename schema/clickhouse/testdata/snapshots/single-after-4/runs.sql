CREATE OR REPLACE VIEW `flyball`.`runs` AS
SELECT
    tenant, actor_hash, run_id,
    argMax(s.run_key, s.segment) AS run_key,
    argMax(s.actor, s.segment) AS actor,
    argMax(s.run_rule, s.segment) AS run_rule,
    argMax(s.run_confidence, s.segment) AS run_confidence,
    argMax(s.state, s.segment) AS state,
    argMax(s.agent_id, s.segment) AS agent_id,
    argMax(s.agent_name, s.segment) AS agent_name,
    argMax(s.agent_version, s.segment) AS agent_version,
    argMax(s.agent_source, s.segment) AS agent_source,
    argMax(s.agent_trust, s.segment) AS agent_trust,
    argMax(s.agent_asserted, s.segment) AS agent_asserted,
    argMax(s.credential_id, s.segment) AS credential_id,
    argMax(s.credential_kind, s.segment) AS credential_kind,
    argMax(s.principal_id, s.segment) AS principal_id,
    argMax(s.principal_kind, s.segment) AS principal_kind,
    argMax(s.principal_source, s.segment) AS principal_source,
    argMax(s.principal_trust, s.segment) AS principal_trust,
    argMax(s.caller_kind, s.segment) AS caller_kind,
    argMax(s.task_id, s.segment) AS task_id,
    argMax(s.task_trust, s.segment) AS task_trust,
    argMax(s.conversation_id, s.segment) AS conversation_id,
    max(s.parent_run_id) AS parent_run_id,
    lower(hex(argMinIf(s.trace_id, s.segment, s.trace_id != toFixedString('', 16)))) AS first_trace,
    if(first_trace = '00000000000000000000000000000000', '', first_trace) AS trace_id,
    min(s.started_at) AS started_at,
    max(s.last_at) AS last_at,
    sum(s.calls) AS calls,
    sum(s.errors) AS errors,
    sum(s.denied) AS denied,
    sum(s.irreversible) AS irreversible,
    sum(s.unsafe) AS unsafe,
    sum(s.bytes_out) AS bytes_out,
    sum(s.tokens_in) AS tokens_in,
    sum(s.tokens_out) AS tokens_out,
    max(s.distinct_routes) AS distinct_routes,
    max(s.distinct_resources) AS distinct_resources,
    sum(s.late_calls) AS late_calls,
    sum(s.overflow_keys) AS overflow_keys,
    sum(s.sampled_calls) AS sampled_calls,
    count() AS segments,
    nullIf(max(s.score), 0) AS score,
    max(s.level) AS level,
    '' AS breaker
FROM (
    SELECT actor_hash, tenant, run_id, segment, version, calls_partition, run_key, actor, run_rule, run_confidence, state, agent_id, agent_name, agent_version, agent_source, agent_trust, agent_asserted, credential_id, credential_kind, principal_id, principal_kind, principal_source, principal_trust, caller_kind, task_id, task_trust, conversation_id, parent_run_id, trace_id, started_at, last_at, calls, errors, denied, irreversible, unsafe, bytes_out, tokens_in, tokens_out, distinct_routes, distinct_resources, late_calls, overflow_keys, sampled_calls, score, level
    FROM `flyball`.`runs_v5` FINAL
    SETTINGS do_not_merge_across_partitions_select_final = 1, use_skip_indexes_if_final_exact_mode = 0, optimize_move_to_prewhere_if_final = 1
    UNION ALL
    SELECT toUInt32(xxHash64(actor)) AS actor_hash, tenant, run_id, segment, version, calls_partition, run_key, actor, run_rule, run_confidence, state, agent_id, agent_name, agent_version, agent_source, agent_trust, agent_asserted, credential_id, credential_kind, principal_id, principal_kind, principal_source, principal_trust, caller_kind, task_id, task_trust, conversation_id, parent_run_id, trace_id, started_at, last_at, calls, errors, denied, irreversible, unsafe, bytes_out, tokens_in, tokens_out, distinct_routes, distinct_resources, late_calls, overflow_keys, sampled_calls, score, level
    FROM `flyball`.`runs_store` FINAL
    SETTINGS optimize_move_to_prewhere_if_final = 1
) AS s
GROUP BY tenant, actor_hash, run_id;
