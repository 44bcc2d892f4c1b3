CREATE TABLE IF NOT EXISTS {{.Table "stitching_store"}} (
{{.Columns "stitching_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree" "calls"}}
PARTITION BY toYYYYMM(hour)
ORDER BY (tenant, hour, producer, format, run_rule, calls_partition, from_offset, to_offset)
{{- with .Storage "stitching_store"}}
{{.}}{{end}}
