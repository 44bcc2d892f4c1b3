CREATE TABLE IF NOT EXISTS `flyball`.`verdicts_store_local` ON CLUSTER `prod` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `finding_id` String CODEC(ZSTD(1)),
    `generation` UInt64 CODEC(T64, ZSTD(1)),
    `verdict` Enum8('unknown' = 0, 'true' = 1, 'benign' = 2, 'test' = 3),
    `at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `by` String CODEC(ZSTD(1)),
    `why` String CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', generation)
ORDER BY (tenant, finding_id);
CREATE TABLE IF NOT EXISTS `flyball`.`verdicts_store` ON CLUSTER `prod` AS `flyball`.`verdicts_store_local`
ENGINE = Distributed('prod', 'flyball', 'verdicts_store_local', sipHash64(finding_id));
