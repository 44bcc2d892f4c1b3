CREATE TABLE IF NOT EXISTS `flyball`.`call_ids_local` ON CLUSTER `prod` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `filed_day` Date DEFAULT day CODEC(ZSTD(1)),
    `day` Date CODEC(ZSTD(1)),
    `kind` Enum8('trace_id' = 0, 'request_id' = 1) CODEC(ZSTD(1)),
    `id` UInt32 CODEC(Delta, ZSTD(1)),
    `actor_hash` UInt32 CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY (filed_day, day = filed_day)
ORDER BY (tenant, kind, id, actor_hash, day)
TTL greatest(toDate(day), filed_day, toDate('2026-12-01')) + toIntervalDay(90)
SETTINGS min_age_to_force_merge_seconds = 86400, min_age_to_force_merge_on_partition_only = 1, materialize_ttl_recalculate_only = 1, ttl_only_drop_parts = 1;
CREATE TABLE IF NOT EXISTS `flyball`.`call_ids` ON CLUSTER `prod` AS `flyball`.`call_ids_local`
ENGINE = Distributed('prod', 'flyball', 'call_ids_local', sipHash64(id));
