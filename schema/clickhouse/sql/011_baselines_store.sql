CREATE TABLE IF NOT EXISTS {{.Table "baselines_store"}} (
{{.Columns "baselines_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree"}}
ORDER BY (tenant, name, version)
