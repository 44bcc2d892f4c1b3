CREATE TABLE IF NOT EXISTS {{.Table "runs_v5"}} (
{{.Columns "runs_v5"}},
    INDEX ix_run_id run_id TYPE bloom_filter(0.0001) GRANULARITY 1,
    INDEX ix_run_start {{.RunStart}} TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX ix_run_key run_key TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX ix_task task_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX ix_conversation conversation_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX ix_parent parent_run_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX ix_start started_at TYPE minmax GRANULARITY 1,
    INDEX ix_last last_at TYPE minmax GRANULARITY 1,
    INDEX ix_level level TYPE minmax GRANULARITY 1
)
ENGINE = {{.Engine "ReplacingMergeTree" "version"}}
PARTITION BY opened_day
ORDER BY (tenant, actor_hash, run_id, segment)
{{- with .Storage "runs_v5"}}
{{.}}{{end}}
