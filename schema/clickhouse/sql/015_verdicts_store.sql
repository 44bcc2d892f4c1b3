CREATE TABLE IF NOT EXISTS {{.Table "verdicts_store"}} (
{{.Columns "verdicts_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree" "generation"}}
ORDER BY (tenant, finding_id)
