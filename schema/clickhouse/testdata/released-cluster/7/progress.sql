CREATE TABLE IF NOT EXISTS `flyball`.`progress_local` ON CLUSTER `prod` (
    `calls_topic_id` UUID CODEC(ZSTD(1)),
    `calls_partition` Int32,
    `next_offset` UInt64,
    `max_start` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    `at` DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', next_offset)
ORDER BY (calls_topic_id, calls_partition);
CREATE TABLE IF NOT EXISTS `flyball`.`progress` ON CLUSTER `prod` AS `flyball`.`progress_local`
ENGINE = Distributed('prod', 'flyball', 'progress_local', calls_partition);
