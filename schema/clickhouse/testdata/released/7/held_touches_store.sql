CREATE TABLE IF NOT EXISTS `flyball`.`held_touches_store` (
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
ENGINE = AggregatingMergeTree
ORDER BY (tenant, resource, actor_hash, run_id, effect);
