CREATE OR REPLACE VIEW {{.View "held_runs"}} AS
SELECT
{{template "run_columns"}}FROM (
    SELECT actor_hash, {{.Names "runs_store"}}
    FROM {{.Name "held_runs_store"}} FINAL
) AS s
GROUP BY tenant, actor_hash, run_id
