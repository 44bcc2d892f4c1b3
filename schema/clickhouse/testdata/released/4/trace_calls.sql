CREATE TABLE IF NOT EXISTS `flyball`.`trace_calls` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `hour` DateTime('UTC') CODEC(ZSTD(1)),
    `trace_id` FixedString(16) CODEC(ZSTD(1)),
    `run_id` UUID CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (tenant, hour, trace_id, run_id);
