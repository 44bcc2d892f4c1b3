CREATE TABLE IF NOT EXISTS {{.Table "holds_store"}} (
{{.Columns "holds_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree" "generation"}}
ORDER BY (tenant, run_id)
