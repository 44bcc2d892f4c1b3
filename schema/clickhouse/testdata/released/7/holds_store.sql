CREATE TABLE IF NOT EXISTS `flyball`.`holds_store` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `run_id` UUID CODEC(ZSTD(1)),
    `generation` UInt64 CODEC(T64, ZSTD(1)),
    `released` Bool,
    `at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `by` String CODEC(ZSTD(1)),
    `why` String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(generation)
ORDER BY (tenant, run_id);
