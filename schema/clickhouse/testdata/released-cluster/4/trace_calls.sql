CREATE TABLE IF NOT EXISTS `flyball`.`trace_calls_local` ON CLUSTER `prod` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `hour` DateTime('UTC') CODEC(ZSTD(1)),
    `trace_id` FixedString(16) CODEC(ZSTD(1)),
    `run_id` UUID CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toYYYYMM(hour)
ORDER BY (tenant, hour, trace_id, run_id);
CREATE TABLE IF NOT EXISTS `flyball`.`trace_calls` ON CLUSTER `prod` AS `flyball`.`trace_calls_local`
ENGINE = Distributed('prod', 'flyball', 'trace_calls_local', sipHash64(trace_id));
