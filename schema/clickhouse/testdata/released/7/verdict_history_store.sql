CREATE TABLE IF NOT EXISTS `flyball`.`verdict_history_store` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `finding_id` String CODEC(ZSTD(1)),
    `generation` UInt64 CODEC(T64, ZSTD(1)),
    `verdict` Enum8('unknown' = 0, 'true' = 1, 'benign' = 2, 'test' = 3),
    `at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `by` String CODEC(ZSTD(1)),
    `why` String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, finding_id, generation);
