CREATE TABLE IF NOT EXISTS {{.Table "minutes"}} (
{{.Columns "minutes"}}
)
ENGINE = {{.Engine "ReplacingMergeTree" "calls"}}
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, minute, calls_partition, segment)
{{- with .Storage "minutes"}}
{{.}}{{end}}
