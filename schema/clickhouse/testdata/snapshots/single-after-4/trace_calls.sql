CREATE TABLE IF NOT EXISTS `flyball`.`trace_calls` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `hour` DateTime('UTC') CODEC(ZSTD(1)),
    `trace_id` FixedString(16) CODEC(ZSTD(1)),
    `run_id` UUID CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (tenant, hour, trace_id, run_id)
TTL greatest(toDate(hour), toDate('2026-12-01')) + toIntervalDay(90)
SETTINGS materialize_ttl_recalculate_only = 1, ttl_only_drop_parts = 1;
