CREATE TABLE IF NOT EXISTS {{.Table "verdict_history_store"}} (
{{.Columns "verdict_history_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree"}}
ORDER BY (tenant, finding_id, generation)
