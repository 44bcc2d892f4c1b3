CREATE TABLE IF NOT EXISTS {{.Table "calls_v5"}} (
{{.Columns "calls_v5"}},
    INDEX ix_run run_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX ix_trace if(empty(trace_id), '', lower(hex(trace_id))) TYPE bloom_filter(0.025) GRANULARITY 1,
    INDEX ix_request if(empty(request_uuid), request_text, toString(request_uuid)) TYPE bloom_filter(0.025) GRANULARITY 1,
    INDEX ix_address client_ip TYPE bloom_filter(0.025) GRANULARITY 1,
    INDEX ix_start start_time TYPE minmax GRANULARITY 1,
    INDEX ix_record calls_offset TYPE minmax GRANULARITY 1
)
ENGINE = {{.Engine "ReplacingMergeTree"}}
PARTITION BY ({{.FiledDay}}, {{.FiledLate}})
PRIMARY KEY (tenant, actor_hash, run_id, start_time)
ORDER BY (tenant, actor_hash, run_id, start_time, source_topic, source_topic_id, source_partition, source_offset, item)
{{- with .Storage "calls_v5"}}
{{.}}{{end}}
