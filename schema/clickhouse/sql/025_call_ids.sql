CREATE TABLE IF NOT EXISTS {{.Table "call_ids"}} (
{{.Columns "call_ids"}}
)
ENGINE = {{.Engine "ReplacingMergeTree"}}
PARTITION BY day
ORDER BY (tenant, kind, id, actor_hash)
{{- with .Storage "call_ids"}}
{{.}}{{end}}
