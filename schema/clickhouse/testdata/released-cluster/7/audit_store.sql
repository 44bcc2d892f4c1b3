CREATE TABLE IF NOT EXISTS `flyball`.`audit_store_local` ON CLUSTER `prod` (
    `seq` UInt64 CODEC(T64, ZSTD(1)),
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `commands_offset` Int64 CODEC(Delta, ZSTD(1)),
    `kind` LowCardinality(String) CODEC(ZSTD(1)),
    `by` String CODEC(ZSTD(1)),
    `role` LowCardinality(String) CODEC(ZSTD(1)),
    `subject` String CODEC(ZSTD(1)),
    `reason` String CODEC(ZSTD(1)),
    `outcome` LowCardinality(String) CODEC(ZSTD(1)),
    `digest` String CODEC(ZSTD(1)),
    `prev` String CODEC(ZSTD(1)),
    `hash` String CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (seq, hash);
CREATE TABLE IF NOT EXISTS `flyball`.`audit_store` ON CLUSTER `prod` AS `flyball`.`audit_store_local`
ENGINE = Distributed('prod', 'flyball', 'audit_store_local', seq);
