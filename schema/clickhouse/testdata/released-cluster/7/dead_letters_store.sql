CREATE TABLE IF NOT EXISTS `flyball`.`dead_letters_store_local` ON CLUSTER `prod` (
    `at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `dead_partition` Int32 CODEC(ZSTD(1)),
    `dead_offset` Int64 CODEC(Delta, ZSTD(1)),
    `reason` LowCardinality(String) CODEC(ZSTD(1)),
    `detail` String CODEC(ZSTD(1)),
    `source_topic` LowCardinality(String) CODEC(ZSTD(1)),
    `source_partition` Int32 CODEC(ZSTD(1)),
    `source_offset` Int64 CODEC(Delta, ZSTD(1)),
    `source_at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `item` UInt32 CODEC(T64, ZSTD(1)),
    `size` UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (at, dead_partition, dead_offset)
TTL greatest(toDate(at), toDate('2026-12-01')) + toIntervalDay(400)
SETTINGS materialize_ttl_recalculate_only = 1, merge_with_ttl_timeout = 86400;
CREATE TABLE IF NOT EXISTS `flyball`.`dead_letters_store` ON CLUSTER `prod` AS `flyball`.`dead_letters_store_local`
ENGINE = Distributed('prod', 'flyball', 'dead_letters_store_local', sipHash64(dead_offset));
