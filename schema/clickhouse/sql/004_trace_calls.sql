CREATE TABLE IF NOT EXISTS {{.Table "trace_calls"}} (
{{.Columns "trace_calls"}}
)
ENGINE = {{.Engine "ReplacingMergeTree"}}
PARTITION BY toYYYYMM(hour)
ORDER BY (tenant, hour, trace_id, run_id)
{{- with .Storage "trace_calls"}}
{{.}}{{end}}
