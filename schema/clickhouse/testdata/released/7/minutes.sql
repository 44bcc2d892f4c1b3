CREATE TABLE IF NOT EXISTS `flyball`.`minutes` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `minute` DateTime('UTC') CODEC(Delta, ZSTD(1)),
    `calls_partition` Int32 CODEC(ZSTD(1)),
    `segment` Int64 CODEC(ZSTD(1)),
    `calls` UInt64 CODEC(T64, ZSTD(1)),
    `outcome_unknown` UInt64 CODEC(T64, ZSTD(1)),
    `outcome_ok` UInt64 CODEC(T64, ZSTD(1)),
    `outcome_client_error` UInt64 CODEC(T64, ZSTD(1)),
    `outcome_server_error` UInt64 CODEC(T64, ZSTD(1)),
    `outcome_tool_error` UInt64 CODEC(T64, ZSTD(1)),
    `outcome_denied` UInt64 CODEC(T64, ZSTD(1)),
    `outcome_rate_limited` UInt64 CODEC(T64, ZSTD(1)),
    `outcome_timeout` UInt64 CODEC(T64, ZSTD(1)),
    `outcome_aborted` UInt64 CODEC(T64, ZSTD(1)),
    `done_unknown` UInt64 CODEC(T64, ZSTD(1)),
    `done_read_only` UInt64 CODEC(T64, ZSTD(1)),
    `done_reversible` UInt64 CODEC(T64, ZSTD(1)),
    `done_compensable` UInt64 CODEC(T64, ZSTD(1)),
    `done_irreversible` UInt64 CODEC(T64, ZSTD(1)),
    `bytes_out` UInt64 CODEC(T64, ZSTD(1)),
    `tokens_in` UInt64 CODEC(T64, ZSTD(1)),
    `tokens_out` UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(calls)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, minute, calls_partition, segment)
TTL greatest(toDate(minute), toDate('2026-12-01')) + toIntervalDay(400)
SETTINGS materialize_ttl_recalculate_only = 1, ttl_only_drop_parts = 1;
