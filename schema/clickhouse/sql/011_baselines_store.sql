CREATE TABLE IF NOT EXISTS {{.Table "baselines_store"}} (
{{.Columns "baselines_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree" "baselines_store"}}
ORDER BY (tenant, name, version)
