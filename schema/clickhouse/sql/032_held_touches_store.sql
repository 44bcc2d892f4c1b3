CREATE TABLE IF NOT EXISTS {{.Table "held_touches_store"}} (
{{.Columns "held_touches_store"}}
)
ENGINE = {{.Engine "AggregatingMergeTree"}}
ORDER BY (tenant, resource, actor_hash, run_id, effect)
