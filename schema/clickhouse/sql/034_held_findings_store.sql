CREATE TABLE IF NOT EXISTS {{.Table "held_findings_store"}} (
{{.Columns "held_findings_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree" "version"}}
ORDER BY (tenant, finding_id)
