CREATE TABLE IF NOT EXISTS {{.Table "breakers_store"}} (
{{.Columns "breakers_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree" "breakers_store"}}
ORDER BY (tenant, scope_kind, scope_value, generation)
