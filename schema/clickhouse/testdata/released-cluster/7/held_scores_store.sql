CREATE TABLE IF NOT EXISTS `flyball`.`held_scores_store_local` ON CLUSTER `prod` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `run_id` UUID CODEC(ZSTD(1)),
    `at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `calls_partition` Int32 CODEC(ZSTD(1)),
    `calls_offset` Int64 CODEC(Delta, ZSTD(1)),
    `item` UInt32 CODEC(T64, ZSTD(1)),
    `value` Float64 CODEC(ZSTD(1)),
    `level` Enum8('none' = 0, 'annotate' = 1, 'alert' = 2, 'trip' = 3),
    `baseline_version` LowCardinality(String) CODEC(ZSTD(1)),
    `features` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `observed` Array(Float64) CODEC(ZSTD(1)),
    `usual` Array(Float64) CODEC(ZSTD(1)),
    `peers` Array(Float64) CODEC(ZSTD(1)),
    `humans` Array(Float64) CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (tenant, run_id, at, calls_partition, calls_offset, item);
CREATE TABLE IF NOT EXISTS `flyball`.`held_scores_store` ON CLUSTER `prod` AS `flyball`.`held_scores_store_local`
ENGINE = Distributed('prod', 'flyball', 'held_scores_store_local', sipHash64(run_id));
