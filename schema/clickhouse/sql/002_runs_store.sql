CREATE TABLE IF NOT EXISTS {{.Table "runs_store"}} (
{{.Columns "runs_store"}},
    INDEX ix_run_key run_key TYPE bloom_filter(0.025) GRANULARITY 1
)
ENGINE = {{.Engine "ReplacingMergeTree" "version"}}
ORDER BY (tenant, run_id, segment)
{{- with .Storage "runs_store"}}
{{.}}{{end}}
