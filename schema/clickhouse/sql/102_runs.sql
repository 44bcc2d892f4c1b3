CREATE OR REPLACE VIEW {{.View "runs"}} AS
SELECT
{{template "run_columns"}}FROM (
    SELECT actor_hash, {{.Names "runs_store"}}
    FROM {{.Name "runs_v5"}} FINAL
    SETTINGS do_not_merge_across_partitions_select_final = 1, use_skip_indexes_if_final_exact_mode = 0, optimize_move_to_prewhere_if_final = 1
{{- if .Keeps "runs_store"}}
    UNION ALL
    SELECT toUInt32(xxHash64(actor)) AS actor_hash, {{.Names "runs_store"}}
    FROM {{.Name "runs_store"}} FINAL
    SETTINGS optimize_move_to_prewhere_if_final = 1
{{- end}}
) AS s
GROUP BY tenant, actor_hash, run_id
