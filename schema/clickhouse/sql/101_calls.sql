{{define "columns"}}run_id, start_time,
    source_topic, source_topic_id, source_partition, source_offset, item,
    concat(source_topic, '/', toString(source_partition), '/', toString(source_offset), '/', toString(item)) AS record_id,
    segment, calls_partition, calls_offset, run_rule, run_confidence, run_key, run_key_source, agent_span, late,
    format, observer_kind, observer,
    if(kafka_delay = 0, NULL, fromUnixTimestamp64Milli(toUnixTimestamp64Milli(start_time) + kafka_delay - (kafka_delay > 0), 'UTC')) AS kafka_time,
    duration_ns, ts_precision, ts_basis,
    op_kind, method, scheme, host, path, query_keys, route,
    replaceRegexpAll(route, '\\{[^{}]*\\}', '{}') AS route_key,
    route_source, api,
    if(operation_named = '' AND route != '', concat(method, ' ', route), operation_named) AS operation,
    mcp_method, tool_name, tool_call_id, rpc_id, mcp_server,
    gen_ai_provider, model_requested, model_used, tokens_in, tokens_out, cost_usd,
    status, rpc_status, outcome, error_type, error_message, denied_by,
    upstream_status, upstream_ns, attempts, bytes_in, bytes_out,
    greatest(sample_weight, 1) AS sample_weight,
    client_ip, user_agent, ua_product,
    if(empty(trace_id), '', lower(hex(trace_id))) AS trace_id,
    if(empty(span_id), '', lower(hex(span_id))) AS span_id,
    if(empty(parent_span_id), '', lower(hex(parent_span_id))) AS parent_span_id,
    if(empty(request_uuid), request_text, toString(request_uuid)) AS request_id,
    agent_id, agent_name, agent_version, parent_agent_id, agent_source, agent_trust, agent_asserted,
    credential_id, credential_kind, credential_source, credential_trust,
    principal_id, principal_kind, principal_source, principal_trust,
    actor_chain, caller_kind, caller_confidence,
    task_id, task_source, task_trust, conversation_id,
    args_digest, args_digest_basis,
    if(result_digest_basis = 'outcome', cityHash64(outcome, status, bytes_out), result_digest_logged) AS result_digest,
    result_digest_basis,
    effect, effect_source, reversibility, reversibility_source, resources, resource_sources, attrs,
    counted,
    CAST(outcome = 'denied' AND denied_by IN ('flyball', 'ext_authz') AS Bool) AS denied_by_flyball{{end -}}
CREATE OR REPLACE VIEW {{.View "calls"}} AS
SELECT
    tenant, actor_hash, {{template "columns"}}
FROM {{.Name "calls_v5"}} FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1, use_skip_indexes_if_final_exact_mode = 0, optimize_move_to_prewhere_if_final = 1
{{- if .Keeps "calls_store"}}
UNION ALL
SELECT
    tenant, toUInt32(0) AS actor_hash, {{template "columns"}}
FROM {{.Name "calls_store"}} FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1, use_skip_indexes_if_final_exact_mode = 0, optimize_move_to_prewhere_if_final = 1
{{- end}}
