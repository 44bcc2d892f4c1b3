CREATE TABLE IF NOT EXISTS {{.Table "gates_store"}} (
{{.Columns "gates_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree"}}
ORDER BY (tenant, gate_id, generation, state)
