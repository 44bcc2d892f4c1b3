CREATE TABLE IF NOT EXISTS `flyball`.`stitching_v5_local` ON CLUSTER `prod` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `hour` DateTime('UTC') CODEC(ZSTD(1)),
    `producer` LowCardinality(String) CODEC(ZSTD(1)),
    `format` LowCardinality(String) CODEC(ZSTD(1)),
    `run_rule` Enum8('none' = 0, 'explicit' = 1, 'agent_span' = 2, 'trace' = 3, 'conversation' = 4, 'session' = 5, 'overflow' = 6, 'gate' = 7) CODEC(ZSTD(1)),
    `calls_partition` Int32 CODEC(ZSTD(1)),
    `segment` Int64 CODEC(ZSTD(1)),
    `calls` UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', calls)
PARTITION BY toYYYYMM(hour)
ORDER BY (tenant, hour, producer, format, run_rule, calls_partition, segment)
TTL greatest(toDate(hour), toDate('2026-12-01')) + toIntervalDay(400)
SETTINGS materialize_ttl_recalculate_only = 1, ttl_only_drop_parts = 1;
CREATE TABLE IF NOT EXISTS `flyball`.`stitching_v5` ON CLUSTER `prod` AS `flyball`.`stitching_v5_local`
ENGINE = Distributed('prod', 'flyball', 'stitching_v5_local', sipHash64(producer));
