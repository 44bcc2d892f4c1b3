CREATE TABLE IF NOT EXISTS {{.Table "findings_store"}} (
{{.Columns "findings_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree" "findings_store" "version"}}
ORDER BY (tenant, finding_id)
