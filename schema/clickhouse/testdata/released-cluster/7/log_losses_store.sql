CREATE TABLE IF NOT EXISTS `flyball`.`log_losses_store_local` ON CLUSTER `prod` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `topic` LowCardinality(String) CODEC(ZSTD(1)),
    `partition` Int32 CODEC(ZSTD(1)),
    `kind` LowCardinality(String) CODEC(ZSTD(1)),
    `from_offset` Int64 CODEC(Delta, ZSTD(1)),
    `to_offset` Int64 CODEC(Delta, ZSTD(1)),
    `records` Int64 CODEC(T64, ZSTD(1)),
    `read` Int64 CODEC(T64, ZSTD(1)),
    `epoch` Int64 CODEC(T64, ZSTD(1)),
    `noticed_at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `component` LowCardinality(String) CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', noticed_at)
ORDER BY (topic, partition, component, epoch, from_offset, kind)
TTL greatest(toDate(noticed_at), toDate('2026-12-01')) + toIntervalDay(400)
SETTINGS materialize_ttl_recalculate_only = 1, merge_with_ttl_timeout = 86400;
CREATE TABLE IF NOT EXISTS `flyball`.`log_losses_store` ON CLUSTER `prod` AS `flyball`.`log_losses_store_local`
ENGINE = Distributed('prod', 'flyball', 'log_losses_store_local', sipHash64(topic));
