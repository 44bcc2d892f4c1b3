CREATE TABLE IF NOT EXISTS `flyball`.`gates_store` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `gate_id` String CODEC(ZSTD(1)),
    `generation` UInt64 CODEC(T64, ZSTD(1)),
    `state` Enum8('pending' = 0, 'granted' = 1, 'refused' = 2, 'timed_out' = 3, 'used' = 4, 'ended' = 5),
    `mode` LowCardinality(String) CODEC(ZSTD(1)),
    `holder` String CODEC(ZSTD(1)),
    `run_id` UUID CODEC(ZSTD(1)),
    `agent_id` String CODEC(ZSTD(1)),
    `credential_id` String CODEC(ZSTD(1)),
    `route` LowCardinality(String) CODEC(ZSTD(1)),
    `resource` String CODEC(ZSTD(1)),
    `amount` String CODEC(ZSTD(1)),
    `currency` LowCardinality(String) CODEC(ZSTD(1)),
    `why` LowCardinality(String) CODEC(ZSTD(1)),
    `asked_at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `expires_at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `decided_at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `by` String CODEC(ZSTD(1)),
    `reason` String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, gate_id, generation, state);
