CREATE TABLE IF NOT EXISTS {{.Table "held_scores_store"}} (
{{.Columns "held_scores_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree"}}
ORDER BY (tenant, run_id, at, calls_partition, calls_offset, item)
