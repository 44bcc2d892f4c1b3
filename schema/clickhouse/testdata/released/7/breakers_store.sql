CREATE TABLE IF NOT EXISTS `flyball`.`breakers_store` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `scope_kind` LowCardinality(String) CODEC(ZSTD(1)),
    `scope_value` String CODEC(ZSTD(1)),
    `generation` UInt64 CODEC(T64, ZSTD(1)),
    `at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `state` Enum8('closed' = 0, 'open' = 1, 'half_open' = 2, 'forced_open' = 3),
    `mode` LowCardinality(String) CODEC(ZSTD(1)),
    `origin` LowCardinality(String) CODEC(ZSTD(1)),
    `finding_id` String CODEC(ZSTD(1)),
    `reason` String CODEC(ZSTD(1)),
    `expires_at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `exposure_calls` UInt64 CODEC(T64, ZSTD(1)),
    `exposure_irreversible` UInt64 CODEC(T64, ZSTD(1)),
    `run_id` UUID CODEC(ZSTD(1)),
    `agent_id` String CODEC(ZSTD(1)),
    `why` LowCardinality(String) CODEC(ZSTD(1)),
    `by` String CODEC(ZSTD(1)),
    `action` LowCardinality(String) CODEC(ZSTD(1)),
    `strikes` UInt32 CODEC(T64, ZSTD(1)),
    `found_at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, scope_kind, scope_value, generation);
