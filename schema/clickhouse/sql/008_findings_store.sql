CREATE TABLE IF NOT EXISTS {{.Table "findings_store"}} (
{{.Columns "findings_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree" "version"}}
ORDER BY (tenant, finding_id)
{{- with .Storage "findings_store"}}
{{.}}{{end}}
