CREATE TABLE IF NOT EXISTS {{.Table "held_runs_store"}} (
{{.Columns "held_runs_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree" "version"}}
ORDER BY (tenant, run_id, actor_hash, segment)
{{- with .Storage "held_runs_store"}}
{{.}}{{end}}
