CREATE TABLE IF NOT EXISTS {{.Table "scores_store"}} (
{{.Columns "scores_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree"}}
PARTITION BY toYYYYMM(at)
ORDER BY (tenant, run_id, at, calls_partition, calls_offset, item)
{{- with .Storage "scores_store"}}
{{.}}{{end}}
