CREATE OR REPLACE VIEW {{.View "run_states"}} AS
SELECT tenant, actor_hash, actor_hash AS posted_actor, {{template "run_state_columns"}}
FROM {{.Name "runs_v5"}}
{{- if .Keeps "runs_store"}}
UNION ALL
SELECT tenant, toUInt32(xxHash64(actor)) AS actor_hash, toUInt32(0) AS posted_actor, {{template "run_state_columns"}}
FROM {{.Name "runs_store"}}
{{- end}}
