CREATE TABLE IF NOT EXISTS {{.Table "held_calls_store"}} (
{{.Columns "held_calls_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree"}}
ORDER BY (tenant, run_id, actor_hash, start_time, source_topic, source_topic_id, source_partition, source_offset, item)
{{- with .Storage "held_calls_store"}}
{{.}}{{end}}
