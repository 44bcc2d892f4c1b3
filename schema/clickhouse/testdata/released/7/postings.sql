CREATE TABLE IF NOT EXISTS `flyball`.`postings` (
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `kind` Enum8('agent_id' = 0, 'agent_asserted' = 1, 'credential_id' = 2, 'principal_id' = 3, 'client_ip' = 4, 'host' = 5, 'tool_name' = 6) CODEC(ZSTD(1)),
    `value` String CODEC(ZSTD(1)),
    `day` Date CODEC(ZSTD(1)),
    `actor_hash` UInt32 CODEC(ZSTD(1)),
    `filed_day` Date DEFAULT day CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (tenant, kind, value, day, actor_hash)
TTL greatest(toDate(day), filed_day, toDate('2026-12-01')) + toIntervalDay(400)
SETTINGS materialize_ttl_recalculate_only = 1, ttl_only_drop_parts = 1;
