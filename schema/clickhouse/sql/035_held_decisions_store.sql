CREATE TABLE IF NOT EXISTS {{.Table "held_decisions_store"}} (
{{.Columns "held_decisions_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree"}}
ORDER BY (tenant, decision_id)
