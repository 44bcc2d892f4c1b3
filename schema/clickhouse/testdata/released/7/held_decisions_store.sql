CREATE TABLE IF NOT EXISTS `flyball`.`held_decisions_store` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `decision_id` String CODEC(ZSTD(1)),
    `at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `scope_kind` LowCardinality(String) CODEC(ZSTD(1)),
    `scope_value` String CODEC(ZSTD(1)),
    `action` LowCardinality(String) CODEC(ZSTD(1)),
    `mode` LowCardinality(String) CODEC(ZSTD(1)),
    `origin` LowCardinality(String) CODEC(ZSTD(1)),
    `finding_id` String CODEC(ZSTD(1)),
    `run_id` UUID CODEC(ZSTD(1)),
    `generation` UInt64 CODEC(T64, ZSTD(1)),
    `ttl_ns` Int64 CODEC(GCD, T64, ZSTD(1)),
    `reason` String CODEC(ZSTD(1)),
    `why` LowCardinality(String) CODEC(ZSTD(1)),
    `rule` LowCardinality(String) CODEC(ZSTD(1)),
    `agent_id` String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, decision_id);
