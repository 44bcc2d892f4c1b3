CREATE TABLE IF NOT EXISTS `flyball`.`baselines_store` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `name` String CODEC(ZSTD(1)),
    `version` UInt64 CODEC(T64, ZSTD(1)),
    `state` Enum8('learning' = 0, 'active' = 1, 'stale' = 2, 'frozen' = 3),
    `made_at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `runs` UInt64 CODEC(T64, ZSTD(1)),
    `calls` UInt64 CODEC(T64, ZSTD(1)),
    `since` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `until` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `body` String CODEC(ZSTD(3)),
    `why` LowCardinality(String) CODEC(ZSTD(1)),
    `baseline_version` String CODEC(ZSTD(1)),
    `acquaintance` LowCardinality(String) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, name, version);
