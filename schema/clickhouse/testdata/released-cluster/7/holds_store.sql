CREATE TABLE IF NOT EXISTS `flyball`.`holds_store_local` ON CLUSTER `prod` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `run_id` UUID CODEC(ZSTD(1)),
    `generation` UInt64 CODEC(T64, ZSTD(1)),
    `released` Bool,
    `at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `by` String CODEC(ZSTD(1)),
    `why` String CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', generation)
ORDER BY (tenant, run_id);
CREATE TABLE IF NOT EXISTS `flyball`.`holds_store` ON CLUSTER `prod` AS `flyball`.`holds_store_local`
ENGINE = Distributed('prod', 'flyball', 'holds_store_local', sipHash64(run_id));
