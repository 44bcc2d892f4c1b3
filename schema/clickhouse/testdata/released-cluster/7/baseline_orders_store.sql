CREATE TABLE IF NOT EXISTS `flyball`.`baseline_orders_store_local` ON CLUSTER `prod` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `agent` String CODEC(ZSTD(1)),
    `kind` LowCardinality(String) CODEC(ZSTD(1)),
    `generation` UInt64 CODEC(T64, ZSTD(1)),
    `at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `until` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `off` Bool,
    `by` String CODEC(ZSTD(1)),
    `why` String CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', generation)
ORDER BY (tenant, agent, kind);
CREATE TABLE IF NOT EXISTS `flyball`.`baseline_orders_store` ON CLUSTER `prod` AS `flyball`.`baseline_orders_store_local`
ENGINE = Distributed('prod', 'flyball', 'baseline_orders_store_local', sipHash64(agent));
