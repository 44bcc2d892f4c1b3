CREATE OR REPLACE VIEW {{.View "calls"}} AS
SELECT
    tenant, actor_hash, {{template "call_columns"}}
FROM {{.Name "calls_v5"}} FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1, use_skip_indexes_if_final_exact_mode = 0, optimize_move_to_prewhere_if_final = 1
{{- if .Keeps "calls_store"}}
UNION ALL
SELECT
    tenant, toUInt32(0) AS actor_hash, {{template "call_columns"}}
FROM {{.Name "calls_store"}} FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1, use_skip_indexes_if_final_exact_mode = 0, optimize_move_to_prewhere_if_final = 1
{{- end}}
