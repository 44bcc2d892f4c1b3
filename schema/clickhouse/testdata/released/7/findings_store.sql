CREATE TABLE IF NOT EXISTS `flyball`.`findings_store` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `finding_id` String CODEC(ZSTD(1)),
    `version` UInt64 CODEC(T64, ZSTD(1)),
    `run_id` UUID CODEC(ZSTD(1)),
    `agent_id` String CODEC(ZSTD(1)),
    `family` LowCardinality(String) CODEC(ZSTD(1)),
    `level` Enum8('none' = 0, 'annotate' = 1, 'alert' = 2, 'trip' = 3),
    `state` LowCardinality(String) CODEC(ZSTD(1)),
    `opened_at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `updated_at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `score` Float64 CODEC(ZSTD(1)),
    `expected_rate` Float64 CODEC(ZSTD(1)),
    `delay_calls` UInt32 CODEC(T64, ZSTD(1)),
    `exposure_calls` UInt64 CODEC(T64, ZSTD(1)),
    `exposure_irreversible` UInt64 CODEC(T64, ZSTD(1)),
    `verdict` LowCardinality(String) CODEC(ZSTD(1)),
    `evidence` String CODEC(ZSTD(1)),
    `onset_at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `summary` String CODEC(ZSTD(1)),
    `closed_because` String CODEC(ZSTD(1)),
    `baseline_version` LowCardinality(String) CODEC(ZSTD(1)),
    `exception` LowCardinality(String) CODEC(ZSTD(1)),
    `expected_of` LowCardinality(String) CODEC(ZSTD(1)),
    `expected_runs` UInt64 CODEC(T64, ZSTD(1)),
    `acquaintance` LowCardinality(String) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, finding_id)
TTL greatest(toDate(updated_at), toDate('2026-12-01')) + toIntervalDay(400)
SETTINGS materialize_ttl_recalculate_only = 1, merge_with_ttl_timeout = 86400;
