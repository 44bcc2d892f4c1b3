CREATE TABLE IF NOT EXISTS `flyball`.`hours` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `agent_id` String CODEC(ZSTD(3)),
    `hour` DateTime('UTC') CODEC(Delta, ZSTD(1)),
    `actor_hash` UInt32 CODEC(ZSTD(1)),
    `calls_partition` Int32 CODEC(ZSTD(1)),
    `segment` Int64 CODEC(ZSTD(1)),
    `runs` UInt64 CODEC(T64, ZSTD(1)),
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
PARTITION BY toYYYYMM(hour)
ORDER BY (tenant, agent_id, hour, actor_hash, calls_partition, segment)
TTL greatest(toDate(hour), toDate('2026-12-01')) + toIntervalDay(400)
SETTINGS materialize_ttl_recalculate_only = 1, ttl_only_drop_parts = 1;
