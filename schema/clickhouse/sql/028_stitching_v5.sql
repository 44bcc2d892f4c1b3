CREATE TABLE IF NOT EXISTS {{.Table "stitching_v5"}} (
{{.Columns "stitching_v5"}}
)
ENGINE = {{.Engine "ReplacingMergeTree" "calls"}}
PARTITION BY toYYYYMM(hour)
ORDER BY (tenant, hour, producer, format, run_rule, calls_partition, segment)
{{- with .Storage "stitching_v5"}}
{{.}}{{end}}
