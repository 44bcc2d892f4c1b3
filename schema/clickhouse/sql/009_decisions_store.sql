CREATE TABLE IF NOT EXISTS {{.Table "decisions_store"}} (
{{.Columns "decisions_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree"}}
ORDER BY (tenant, decision_id)
{{- with .Storage "decisions_store"}}
{{.}}{{end}}
