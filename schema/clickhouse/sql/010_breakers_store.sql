CREATE TABLE IF NOT EXISTS {{.Table "breakers_store"}} (
{{.Columns "breakers_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree"}}
ORDER BY (tenant, scope_kind, scope_value, generation)
