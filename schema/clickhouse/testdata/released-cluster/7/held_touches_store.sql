CREATE TABLE IF NOT EXISTS `flyball`.`held_touches_store_local` ON CLUSTER `prod` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `resource` String CODEC(ZSTD(1)),
    `actor_hash` UInt32 CODEC(ZSTD(1)),
    `run_id` UUID CODEC(ZSTD(1)),
    `effect` Enum8('unknown' = 0, 'read' = 1, 'create' = 2, 'update' = 3, 'delete' = 4, 'pay' = 5, 'send' = 6, 'grant' = 7) CODEC(ZSTD(1)),
    `reversibility` SimpleAggregateFunction(max, Enum8('unknown' = 0, 'read_only' = 1, 'reversible' = 2, 'compensable' = 3, 'irreversible' = 4)) CODEC(ZSTD(1)),
    `first_at` SimpleAggregateFunction(min, DateTime64(9, 'UTC')) CODEC(GCD, Delta, ZSTD(1)),
    `last_at` SimpleAggregateFunction(max, DateTime64(9, 'UTC')) CODEC(GCD, Delta, ZSTD(1)),
    `filed_day` SimpleAggregateFunction(max, Date) CODEC(ZSTD(1))
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (tenant, resource, actor_hash, run_id, effect);
CREATE TABLE IF NOT EXISTS `flyball`.`held_touches_store` ON CLUSTER `prod` AS `flyball`.`held_touches_store_local`
ENGINE = Distributed('prod', 'flyball', 'held_touches_store_local', sipHash64(resource));
