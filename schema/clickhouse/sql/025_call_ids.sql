CREATE TABLE IF NOT EXISTS {{.Table "call_ids"}} (
{{.Columns "call_ids"}}
)
ENGINE = {{.Engine "ReplacingMergeTree"}}
PARTITION BY (filed_day, day = filed_day)
ORDER BY (tenant, kind, id, actor_hash, day)
{{- with .Storage "call_ids"}}
{{.}}{{end}}
