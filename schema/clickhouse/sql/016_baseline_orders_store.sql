CREATE TABLE IF NOT EXISTS {{.Table "baseline_orders_store"}} (
{{.Columns "baseline_orders_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree" "generation"}}
ORDER BY (tenant, agent, kind)
