CREATE TABLE IF NOT EXISTS {{.Table "calls_store"}} (
{{.Columns "calls_store"}},
    INDEX ix_trace if(empty(trace_id), '', lower(hex(trace_id))) TYPE bloom_filter(0.025) GRANULARITY 1,
    INDEX ix_request if(empty(request_uuid), request_text, toString(request_uuid)) TYPE bloom_filter(0.025) GRANULARITY 1,
    INDEX ix_address client_ip TYPE bloom_filter(0.025) GRANULARITY 1,
    INDEX ix_host host TYPE bloom_filter(0.025) GRANULARITY 1,
    INDEX ix_credential credential_id TYPE bloom_filter(0.025) GRANULARITY 1,
    INDEX ix_run_key run_key TYPE bloom_filter(0.025) GRANULARITY 1,
    INDEX ix_position source_offset TYPE minmax GRANULARITY 1
)
ENGINE = {{.Engine "ReplacingMergeTree"}}
PARTITION BY toYYYYMM(start_time)
PRIMARY KEY (tenant, run_id, start_time)
ORDER BY (tenant, run_id, start_time, source_topic, source_topic_id, source_partition, source_offset, item)
{{- with .Storage "calls_store"}}
{{.}}{{end}}
